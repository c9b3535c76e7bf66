//! One record, and what may be wrong with it.

use domain::text::settled;

use crate::encoding::Found;

/// One record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The physical line it begins on, from 1.
    pub(crate) line: u64,
    /// The physical line it ends on.
    pub(crate) last_line: u64,
    /// Its fields, unquoted. Of a broken record those before the fault.
    pub(crate) fields: Vec<Field>,
    /// Its beginning as the file has it, at least
    /// [`MAX_RAW_BYTES`](domain::rejection::MAX_RAW_BYTES) of it.
    pub(crate) raw: String,
    /// What keeps it from being one.
    pub(crate) fault: Option<Fault>,
}

impl Record {
    /// Whether nothing stands in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.fault.is_none() && self.fields.iter().all(Field::is_empty)
    }
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its text, with a replacement character for what cannot be read.
    pub(crate) text: String,
    /// Whether all of it can be read.
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

    /// What is wrong with a field that cannot be read.
    pub(crate) fn problem(&self, encoding: Found) -> String {
        if self.text.contains('\0') {
            return "has a NUL character".to_owned();
        }
        format!("has bytes that are no {} text; {}", encoding.name(), encoding.way_out())
    }

    /// Whether nothing stands in it.
    pub(crate) fn is_empty(&self) -> bool {
        settled(&self.text).is_empty()
    }
}

/// What keeps a record from being one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Only a delimiter may stand behind a closing quote.
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
    /// A quote is opened and not closed before the end of the file, or for too long.
    #[error("column {} opens a quote that is never closed", field + 1)]
    OpenQuote {
        /// The field, from 0.
        field: usize,
    },
    /// No record is so long.
    #[error("is longer than {max_bytes} bytes; a line break or a quote may be missing")]
    TooLong {
        /// How long it may be.
        max_bytes: usize,
    },
    /// Quotes hold lines together that make no row.
    #[error(
        "makes a row of {fields} fields together with the lines to {last}, the header has {columns}: \
         a quote may be missing"
    )]
    SeveralLines {
        /// The last of them.
        last: u64,
        /// How many fields they make.
        fields: usize,
        /// How many there should be.
        columns: usize,
    },
    /// Quotes hold lines together that each look like a row.
    #[error(
        "has quotes that make one row of the lines to {last}, each of which is one: a quote may be missing"
    )]
    SeveralRows {
        /// The last of them.
        last: u64,
    },
    /// A line that may be the inside of a broken record.
    #[error("follows the broken record of line {broken}, and is no whole record by itself")]
    Doubtful {
        /// Where that record begins.
        broken: u64,
    },
}

impl Fault {
    /// How many fields are complete before it.
    pub(crate) const fn sound_fields(self) -> usize {
        match self {
            Self::TextAfterQuote { field, .. } | Self::OpenQuote { field } => field,
            Self::SeveralLines { fields, .. } => fields,
            // Whatever is complete on the first line.
            Self::SeveralRows { .. } => usize::MAX,
            Self::TooLong { .. } | Self::Doubtful { .. } => 0,
        }
    }
}
