//! Progress through files: a bar on a terminal, an occasional line elsewhere.
//! All of it goes to standard error.

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::output::{has_interactive_stderr, notice};

const FILES: &str = "  {bar:24.cyan} {pos:>7}/{len:<7} files {elapsed:>5}";

/// Files between two progress lines.
const LINE: usize = 1_000;

/// Shows progress; dropping it removes the bar.
#[derive(Debug)]
pub(super) struct FileProgress {
    total: usize,
    done: usize,
    /// `None` unless standard error is a terminal.
    bar: Option<ProgressBar>,
}

impl FileProgress {
    pub(super) fn over(total: usize) -> Self {
        let bar = has_interactive_stderr().then(|| {
            let style = ProgressStyle::with_template(FILES).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total as u64).with_style(style.progress_chars("━╸─"))
        });
        Self { total, done: 0, bar }
    }

    /// Counts one more file as done.
    pub(super) fn advance(&mut self) {
        self.done += 1;
        let done = self.done;
        match &self.bar {
            Some(bar) => bar.set_position(done as u64),
            None if done.is_multiple_of(LINE) => {
                notice(format_args!(
                    "{} of {} files",
                    HumanCount(done as u64),
                    HumanCount(self.total as u64)
                ));
            }
            None => {}
        }
    }
}

impl Drop for FileProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_parses() {
        ProgressStyle::with_template(FILES).unwrap();
    }
}
