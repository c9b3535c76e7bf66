//! One record, and its possible faults.

use domain::text::settled;

use crate::encoding::Found;

/// One record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The physical line it starts on, from 1.
    pub(crate) line: u64,
    /// The physical line it ends on.
    pub(crate) last_line: u64,
    /// Its fields, unquoted; of a broken record only those before the fault.
    pub(crate) fields: Vec<Field>,
    /// The start of its raw text, at least [`MAX_RAW_BYTES`](domain::rejection::MAX_RAW_BYTES) of it.
    pub(crate) raw: String,
    /// Why it is broken, if it is.
    pub(crate) fault: Option<Fault>,
}

impl Record {
    /// Whether it is empty.
    pub(crate) fn is_blank(&self) -> bool {
        self.fault.is_none() && self.fields.iter().all(Field::is_empty)
    }
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its text, with a replacement character for anything unreadable.
    pub(crate) text: String,
    /// Whether all of it is readable.
    pub(crate) is_readable: bool,
}

impl Field {
    pub(crate) fn of(bytes: &[u8], encoding: Found) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => {
                let is_readable = !text.contains('\0') && encoding.trusts(text);
                Self { text: text.to_owned(), is_readable }
            }
            Err(_) => Self { text: String::from_utf8_lossy(bytes).into_owned(), is_readable: false },
        }
    }

    /// What is wrong with an unreadable field.
    pub(crate) fn problem(&self, encoding: Found) -> String {
        if self.text.contains('\0') {
            return "has a NUL character".to_owned();
        }
        format!("has bytes that are no {} text; {}", encoding.name(), encoding.way_out())
    }

    /// Whether it is empty.
    pub(crate) fn is_empty(&self) -> bool {
        settled(&self.text).is_empty()
    }
}

/// Why a record is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Only a delimiter may follow a closing quote.
    #[error(
        "column {} has text behind its closing quote (line {line}): double the quotes inside, or remove them",
        field + 1
    )]
    TextAfterQuote {
        /// The field, from 0.
        field: usize,
        /// The line with the text.
        line: u64,
    },
    /// A quote is not closed before the end of the file, or for too long.
    #[error("column {} opens a quote that is never closed", field + 1)]
    OpenQuote {
        /// The field, from 0.
        field: usize,
    },
    /// The record is too long.
    #[error("is longer than {max_bytes} bytes; a line break or a quote may be missing")]
    TooLong {
        /// The longest that a record may be.
        max_bytes: usize,
    },
    /// Quotes join lines that do not make a row.
    #[error(
        "makes a row of {fields} fields together with the lines to {last}, the header has {columns}: \
         a quote may be missing"
    )]
    SeveralLines {
        /// The last of these lines.
        last: u64,
        /// The number of fields they make.
        fields: usize,
        /// The expected number of fields.
        columns: usize,
    },
    /// Quotes join lines that each look like a row.
    #[error(
        "has quotes that make one row of the lines to {last}, each of which is one: a quote may be missing"
    )]
    SeveralRows {
        /// The last of these lines.
        last: u64,
    },
    /// A line that may be the inside of a broken record.
    #[error("follows the broken record of line {broken}, and is no whole record by itself")]
    Doubtful {
        /// The first line of that record.
        broken: u64,
    },
}

impl Fault {
    /// How many fields before it are complete.
    pub(crate) const fn sound_fields(self) -> usize {
        match self {
            Self::TextAfterQuote { field, .. } | Self::OpenQuote { field } => field,
            Self::SeveralLines { fields, .. } => fields,
            // All complete fields on the first line.
            Self::SeveralRows { .. } => usize::MAX,
            Self::TooLong { .. } | Self::Doubtful { .. } => 0,
        }
    }
}
