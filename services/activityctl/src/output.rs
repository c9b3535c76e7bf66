//! The only access to standard output and standard error.

use std::{
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Write},
};

use comfy_table::Table;

use crate::error::Error;

/// Explains an empty answer: silence would read as "nobody".
pub const NOT_PUBLISHED: &str =
    "no day that was asked for is published; `activityctl freshness` says which days are";

/// Columns to use when the output is not a terminal.
const WIDTH: usize = 100;

/// Where results go.
pub struct Output {
    writer: Box<dyn Write + Send>,
    styled: bool,
    width: usize,
}

impl Output {
    /// Standard output; in colour if it is a terminal and `NO_COLOR` is not set.
    #[must_use]
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        let styled = runtime::has_colours(&stdout);
        let terminal = Table::new().width().map(usize::from);
        Self { styled, width: terminal.unwrap_or(WIDTH), writer: Box::new(BufWriter::new(stdout)) }
    }

    /// A writer without colour.
    #[must_use]
    pub fn plain(writer: impl Write + Send + 'static) -> Self {
        Self { styled: false, width: WIDTH, writer: Box::new(writer) }
    }

    /// The columns available: those of the terminal if it is one.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Writes and flushes a line.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn line(&mut self, text: impl Display) -> Result<(), Error> {
        writeln!(self.writer, "{text}")?;
        self.flush()
    }

    /// Writes a table.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn table(&mut self, mut table: Table) -> Result<(), Error> {
        if !self.styled {
            table.force_no_tty();
        }
        self.line(table.trim_fmt())
    }

    /// The writer itself, for bulk; call [`flush`](Self::flush) at the end.
    pub fn writer(&mut self) -> &mut (dyn Write + Send) {
        &mut *self.writer
    }

    /// Writes out what is still buffered.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        Ok(self.writer.flush()?)
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("styled", &self.styled).finish_non_exhaustive()
    }
}

/// Prints a notice that is not a result to standard error. A failure to print it is ignored.
pub fn notice(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether text on standard error may be in colour.
#[must_use]
pub fn has_coloured_stderr() -> bool {
    runtime::has_colours(&io::stderr())
}

/// Whether standard error is a terminal, where progress bars can be drawn.
#[must_use]
pub fn has_interactive_stderr() -> bool {
    io::stderr().is_terminal()
}

/// Text from a source with its control characters made visible, so that a
/// company's name cannot control the terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Captured output for a test to read.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Captured(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Captured {
    pub(crate) fn output(&self) -> Output {
        Output::plain(self.clone())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("Æther \u{1b}[2J\n& Co"), "Æther \\u{1b}[2J\\n& Co");
    }
}
