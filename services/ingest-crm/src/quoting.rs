//! How exports escape a quote inside quotes.

use clap::ValueEnum;

/// How a quote is written inside quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Quoting {
    /// Doubled, or by a backslash where that makes a row of the record.
    Auto,
    /// `""`
    Double,
    /// `\"`, beside `""`
    Backslash,
}
