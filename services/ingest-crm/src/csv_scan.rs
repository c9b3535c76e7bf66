//! Scans one record of CSV text.
//!
//! csv-core and the csv crate never fail: text after a closing quote becomes
//! part of the field, and an unclosed quote swallows the rest of the file, rows
//! and all. A strict crate could only refuse the file. So this small scanner
//! reports where a record ends *and* what is wrong with it, and the reader
//! decides what to keep. The tests compare it with the csv crate on well-formed
//! text.

/// How far after a fault to look for the record's end. A file may be broken in
/// every line, and each is checked.
const MAX_BYTES_AFTER_FAULT: usize = 4 * 1024;

/// How a quote is escaped inside quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// `""`
    Doubled,
    /// `\"`, in addition to `""`
    Backslash,
}

/// How fields are separated and quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) escape: Escape,
}

/// What some bytes start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// A record that ends before this offset, which is a line break or the end.
    Record { end: usize, fault: Option<TextAfterQuote> },
    /// More bytes are needed, inside quotes that field number `open` has opened, or outside any.
    Unfinished { open: Option<usize>, fault: Option<TextAfterQuote> },
    /// The record's end cannot be determined: too much follows its fault.
    Lost { fault: TextAfterQuote },
}

/// Text after a closing quote, where only a delimiter or a line break may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextAfterQuote {
    /// The field, from 0.
    pub(crate) field: usize,
    /// The offset of the text.
    pub(crate) at: usize,
}

/// The fields of a record, without their quotes.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    has_backslash_quote: bool,
}

impl Fields {
    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether a quote was escaped as `\"`.
    pub(crate) const fn has_backslash_quote(&self) -> bool {
        self.has_backslash_quote
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.has_backslash_quote = false;
    }
}

/// Reads the record at the start of `bytes` into `fields`. `is_last` means that
/// nothing follows them.
///
/// After a fault, the rest of the field is taken verbatim, to find the record's
/// end if nothing else is wrong with it.
pub(crate) fn scan(bytes: &[u8], dialect: Dialect, is_last: bool, fields: &mut Fields) -> Scanned {
    fields.clear();
    let mut scan = Scan { bytes, dialect, is_last, is_cut: false, at: 0, fields, fault: None };
    loop {
        let ended = match scan.field() {
            Ok(ended) => ended,
            Err(unfinished) => return scan.gone_out(unfinished),
        };
        scan.fields.ends.push(scan.fields.bytes.len());
        if ended == Ended::Record {
            return Scanned::Record { end: scan.at, fault: scan.fault };
        }
        scan.at += 1;
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    dialect: Dialect,
    is_last: bool,
    /// Some of the bytes are not read.
    is_cut: bool,
    at: usize,
    fields: &'a mut Fields,
    fault: Option<TextAfterQuote>,
}

/// A field that needs more bytes, inside quotes of the field `open`.
#[derive(Debug, Clone, Copy)]
struct Unfinished {
    open: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Field,
    Record,
}

impl Scan<'_> {
    /// Reads a field up to the delimiter or line break that ends it.
    fn field(&mut self) -> Result<Ended, Unfinished> {
        let quote = self.blanks_from(self.at);
        match self.bytes.get(quote) {
            Some(b'"') => {
                self.at = quote + 1;
                self.quoted()?;
                // Blanks around quotes are not part of the text.
                self.at = self.blanks_from(self.at);
                match self.bytes.get(self.at) {
                    None if self.is_last => Ok(Ended::Record),
                    None => Err(Unfinished { open: None }),
                    Some(byte) if self.ends_field(*byte) => Ok(self.ended()),
                    Some(_) => {
                        self.note_fault();
                        self.unquoted()
                    }
                }
            }
            None if !self.is_last => Err(Unfinished { open: None }),
            _ => self.unquoted(),
        }
    }

    fn note_fault(&mut self) {
        if self.fault.is_some() {
            return;
        }
        self.fault = Some(TextAfterQuote { field: self.fields.len(), at: self.at });
        if let Some(near) = self.bytes.get(..self.at + MAX_BYTES_AFTER_FAULT) {
            self.bytes = near;
            self.is_cut = true;
            self.is_last = false;
        }
    }

    /// The result when the bytes run out.
    const fn gone_out(&self, Unfinished { open }: Unfinished) -> Scanned {
        match self.fault {
            Some(fault) if self.is_cut || self.is_last => Scanned::Lost { fault },
            fault => Scanned::Unfinished { open, fault },
        }
    }

    fn blanks_from(&self, at: usize) -> usize {
        let is_blank = |byte: &&u8| **byte == b' ' || (**byte == b'\t' && self.dialect.delimiter != b'\t');
        at + self.bytes.get(at..).unwrap_or_default().iter().take_while(is_blank).count()
    }

    const fn ends_field(&self, byte: u8) -> bool {
        byte == self.dialect.delimiter || matches!(byte, b'\r' | b'\n')
    }

    fn ended(&self) -> Ended {
        if self.bytes.get(self.at) == Some(&self.dialect.delimiter) { Ended::Field } else { Ended::Record }
    }

    fn unquoted(&mut self) -> Result<Ended, Unfinished> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|byte| self.ends_field(*byte)).unwrap_or(rest.len());
        self.fields.bytes.extend_from_slice(rest.get(..len).unwrap_or_default());
        self.at += len;
        if len == rest.len() && !self.is_last {
            return Err(Unfinished { open: None });
        }
        Ok(self.ended())
    }

    /// Reads past the closing quote.
    fn quoted(&mut self) -> Result<(), Unfinished> {
        let unfinished = Unfinished { open: Some(self.fields.len()) };
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let is_special =
                |byte: &u8| *byte == b'"' || (*byte == b'\\' && self.dialect.escape == Escape::Backslash);
            let len = rest.iter().position(is_special).ok_or(unfinished)?;
            self.fields.bytes.extend_from_slice(rest.get(..len).unwrap_or_default());
            self.at += len + 1;
            let next = rest.get(len + 1).copied();
            match (rest.get(len), next) {
                (Some(b'\\'), None) => return Err(unfinished),
                (Some(b'\\'), Some(escaped @ (b'"' | b'\\'))) => {
                    self.fields.has_backslash_quote |= escaped == b'"';
                    self.fields.bytes.push(escaped);
                    self.at += 1;
                }
                (Some(b'\\'), Some(_)) => self.fields.bytes.push(b'\\'),
                (_, Some(b'"')) => {
                    self.fields.bytes.push(b'"');
                    self.at += 1;
                }
                (_, None) if !self.is_last => return Err(unfinished),
                _ => return Ok(()),
            }
        }
    }
}
