//! Asks for confirmation before something that is easily started by mistake.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;

use crate::error::Error;

/// Whether to ask.
#[derive(Debug, Clone, Copy, Args)]
#[group(skip)]
pub struct ConfirmArgs {
    /// Do not ask for a confirmation
    #[arg(long)]
    pub yes: bool,
}

/// The outcome of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes, from the user or from --yes.
    Yes,
    /// No.
    No,
    /// There is nobody to ask.
    NobodyThere,
}

impl ConfirmArgs {
    /// Asks a question on the terminal, if there is one.
    ///
    /// # Errors
    /// If the terminal cannot be read or written.
    pub fn ask(self, question: &str) -> Result<Answer, Error> {
        if self.yes {
            return Ok(Answer::Yes);
        }
        let (input, mut output) = (std::io::stdin(), std::io::stderr());
        if !input.is_terminal() || !output.is_terminal() {
            return Ok(Answer::NobodyThere);
        }
        write!(output, "{question} [y/N] ")?;
        output.flush()?;
        let mut line = String::new();
        input.lock().read_line(&mut line)?;
        Ok(if is_yes(&line) { Answer::Yes } else { Answer::No })
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (line, expected) in
            [("y\n", true), (" Yes\n", true), ("\n", false), ("no\n", false), ("yep", false)]
        {
            assert_eq!(is_yes(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_yes_in_advance_needs_nobody() {
        assert_eq!(ConfirmArgs { yes: true }.ask("really?").unwrap(), Answer::Yes);
    }
}
