//! Why a whole CRM export is refused.

use crate::csv_records::record::Fault;

/// A problem that makes every row of a file doubtful, so that none is loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidFile {
    /// Only blank lines.
    #[error("the file is empty; expected a header line with company_id")]
    NoHeader,
    /// The header itself is broken.
    #[error("line {line}: the header {fault}")]
    Header {
        /// Its line.
        line: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The header lacks a required or configured column.
    #[error("line {line}: there is no column {wanted}, only {found}; {way_out}")]
    MissingColumn {
        /// The header's line.
        line: u64,
        /// The column, or its configured heading.
        wanted: String,
        /// The headings found.
        found: String,
        /// Which setting would help.
        way_out: String,
    },
    /// Two columns have one name, so it is unclear which is meant.
    #[error(
        "line {line}, columns {first} and {second}: both are the {name}; remove or rename one, \
         or name the right one with --crm-columns"
    )]
    DuplicateColumn {
        /// The header's line.
        line: u64,
        /// The name of both.
        name: &'static str,
        /// The first column, from 1.
        first: usize,
        /// The second column, from 1.
        second: usize,
    },
    /// A binary file, most likely a spreadsheet.
    #[error("line {line}: the file is not text; export it as CSV")]
    NotText {
        /// The line with a NUL byte.
        line: u64,
    },
}
