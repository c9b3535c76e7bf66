//! Why a whole CRM export is refused.

/// A problem that makes every row of a file doubtful, so that none is loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidFile {
    /// Nothing but line breaks.
    #[error("the file is empty; expected a header line with company_id")]
    NoHeader,
    /// The header lacks a column that nothing works without.
    #[error("line {line}: there is no column {column}, only {found}")]
    MissingColumn {
        /// The header's line.
        line: u64,
        /// The column.
        column: &'static str,
        /// The columns that there are.
        found: String,
    },
    /// Two columns go by one name, so that nobody knows which counts.
    #[error("line {line}, columns {first} and {second}: both are the {name}; remove or rename one")]
    DuplicateColumn {
        /// The header's line.
        line: u64,
        /// What both give.
        name: String,
        /// The first column, from 1.
        first: usize,
        /// The second column, from 1.
        second: usize,
    },
    /// A binary file, most likely a spreadsheet.
    #[error("line {line}: the file is not text; export it as CSV")]
    NotText {
        /// The line with the first NUL byte.
        line: u64,
    },
    /// Text, but in two-byte characters.
    #[error("the file is UTF-16; export it as UTF-8")]
    Utf16,
    /// A record that cannot be one.
    #[error(
        "line {line}: the record that begins here is longer than {max_bytes} bytes; a quote may be missing"
    )]
    RecordTooLong {
        /// Where the record begins.
        line: u64,
        /// How long it may be.
        max_bytes: usize,
    },
    /// A quote that is opened and never closed has swallowed the rest.
    #[error("line {line}: the record that begins here has a quote that is never closed")]
    UnterminatedQuote {
        /// Where the record begins.
        line: u64,
    },
}
