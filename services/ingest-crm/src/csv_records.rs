//! Reads CSV records from chunks of bytes, in bounded memory.
//!
//! Nothing is lost: every line that is not blank is in one record, or inside
//! the quotes of one. A broken record is given up with its *first* line alone,
//! because an unclosed quote makes the rest of the file look like part of it.
//! What follows is read again line by line, and only trusted once a line is a
//! whole record that looks like the others.

use std::collections::BTreeSet;

use domain::rejection::MAX_RAW_BYTES;

use crate::{
    csv_header::{find_header, is_line_break},
    csv_scan::{Dialect, Escape, Fields, Scanned, TextAfterQuote, scan},
    encoding::{Found, TextDecoder},
    invalid_file::InvalidFile,
    lines::LineCounter,
    quoting::Quoting,
};

pub(crate) mod record;

pub(crate) use record::{Fault, Field, Record};

/// Unfinished records shorter than this are retried with every chunk.
const RETRIED_BYTES: usize = 64 * 1024;

/// With fewer columns, lines of free text look like rows by accident.
const FEW_COLUMNS: usize = 4;

/// The parts of the format that the reader needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordFormat {
    pub(crate) encoding: Option<&'static encoding_rs::Encoding>,
    pub(crate) delimiter: Option<u8>,
    pub(crate) quoting: Quoting,
    pub(crate) max_record_bytes: usize,
}

/// Takes a file in chunks and returns its records, header first. Chunk
/// boundaries make no difference.
pub(crate) struct RecordReader {
    format: RecordFormat,
    decoder: TextDecoder,
    /// Text not returned yet, from `at` on.
    pending: Vec<u8>,
    at: usize,
    /// The amount of text at which an unfinished record is retried.
    retry_with: usize,
    is_last: bool,
    lines: LineCounter,
    delimiter: Option<u8>,
    /// The number of fields in the header.
    columns: Option<usize>,
    /// The numbers of fields in sound records.
    counts: BTreeSet<usize>,
    doubt: Option<Doubt>,
    /// Set while the rest of an overlong line, already given up, is skipped.
    is_skipping: bool,
    fields: Fields,
    other_fields: Fields,
}

/// Lines that may be the inside of a broken record.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// The first line of the broken record.
    broken: u64,
    /// The last line that it may extend to.
    until: u64,
}

/// A scanned record.
struct Sound {
    end: usize,
    is_backslash: bool,
}

enum Verdict {
    /// A record without a fault.
    Sound(Sound),
    /// A record that is given up, and the last line that it may extend to.
    Broken(Fault, u64),
    /// More text is needed to decide.
    Wait,
}

impl RecordReader {
    pub(crate) fn new(format: RecordFormat) -> Self {
        Self {
            format,
            decoder: TextDecoder::new(format.encoding),
            pending: Vec::new(),
            at: 0,
            retry_with: 0,
            is_last: false,
            lines: LineCounter::new(),
            delimiter: None,
            columns: None,
            counts: BTreeSet::new(),
            doubt: None,
            is_skipping: false,
            fields: Fields::default(),
            other_fields: Fields::default(),
        }
    }

    /// Takes the next chunk.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.pending.drain(..self.at);
        self.at = 0;
        self.decoder.push(chunk, &mut self.pending);
    }

    /// Ends the file.
    pub(crate) fn finish(&mut self) {
        self.decoder.finish(&mut self.pending);
        self.is_last = true;
    }

    /// The file's encoding, as detected so far.
    pub(crate) const fn encoding(&self) -> Found {
        self.decoder.found()
    }

    /// The field delimiter, once known.
    pub(crate) const fn delimiter(&self) -> Option<u8> {
        self.delimiter
    }

    /// The header, once enough of the file has arrived. `rate` scores how well
    /// headings are understood, which decides the delimiter.
    ///
    /// # Errors
    /// If the text so far is not a header.
    pub(crate) fn header(
        &mut self,
        rate: impl Fn(&[String]) -> usize,
    ) -> Result<Option<Record>, InvalidFile> {
        let rest = self.rest();
        let is_full = rest.len() > self.format.max_record_bytes;
        let window = rest.get(..self.format.max_record_bytes).unwrap_or(rest);
        let is_enough = self.is_last || is_full;
        if self.delimiter.is_none() {
            let Some(found) = find_header(window, is_enough, self.format.delimiter, rate) else {
                return Ok(None);
            };
            self.delimiter = Some(found.delimiter);
            self.advance(found.header);
        }
        self.skip_line_breaks();
        if self.rest().is_empty() {
            return if self.is_last { Err(InvalidFile::NoHeader) } else { Ok(None) };
        }
        let line = self.lines.current();
        match self.judge() {
            Verdict::Wait => Ok(None),
            Verdict::Broken(fault, _) => Err(InvalidFile::Header { line, fault }),
            Verdict::Sound(sound) => {
                let record = self.take(&sound);
                if record.fields.iter().any(|field| field.text.contains('\0')) {
                    return Err(InvalidFile::NotText { line });
                }
                self.columns = Some(record.fields.len());
                Ok(Some(record))
            }
        }
    }

    /// The next record, if it has arrived. `is_plausible` says whether fields
    /// look like a company's; it decides where to continue after a broken
    /// record.
    pub(crate) fn next(&mut self, is_plausible: impl Fn(&[Field]) -> bool) -> Option<Record> {
        loop {
            if self.is_skipping && !self.skip_line() {
                return None;
            }
            self.skip_line_breaks();
            if self.rest().is_empty() || (!self.is_last && self.rest().len() < self.retry_with) {
                return None;
            }
            let line = self.lines.current();
            self.doubt = self.doubt.filter(|doubt| line <= doubt.until);
            match (self.judge(), self.doubt) {
                (Verdict::Wait, _) => {
                    let len = self.rest().len();
                    let doubled = (len * 2).min(self.format.max_record_bytes + 1);
                    self.retry_with = if len < RETRIED_BYTES { 0 } else { doubled };
                    return None;
                }
                (Verdict::Sound(sound), None) => {
                    let record = self.take(&sound);
                    if record.is_blank() {
                        continue;
                    }
                    if Some(record.fields.len()) <= self.columns {
                        self.counts.insert(record.fields.len());
                    }
                    return Some(record);
                }
                (Verdict::Sound(sound), Some(doubt)) => {
                    let fields = self.decoded(sound.is_backslash);
                    let is_usual = Some(fields.len()) == self.columns
                        || (fields.len() > 1 && self.counts.contains(&fields.len()));
                    if is_usual && is_plausible(&fields) {
                        self.doubt = None;
                        return Some(self.take(&sound));
                    }
                    if fields.iter().all(Field::is_empty) {
                        self.take(&sound);
                        continue;
                    }
                    return Some(self.give_up(Fault::Doubtful { broken: doubt.broken }));
                }
                (Verdict::Broken(fault, until), doubt) => {
                    let until = until.max(doubt.map_or(0, |doubt| doubt.until));
                    self.doubt = Some(Doubt { broken: line, until });
                    let fault = match doubt {
                        Some(Doubt { broken, .. }) => Fault::Doubtful { broken },
                        None => fault,
                    };
                    return Some(self.give_up(fault));
                }
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.pending.get(self.at..).unwrap_or_default()
    }

    /// Moves past the next `bytes`.
    fn advance(&mut self, bytes: usize) {
        let passed = self.pending.get(self.at..self.at + bytes).unwrap_or_default();
        self.lines.advance(passed);
        self.at += bytes;
        self.retry_with = 0;
    }

    fn skip_line_breaks(&mut self) {
        let breaks = self.rest().iter().take_while(|byte| is_line_break(**byte)).count();
        if breaks > 0 {
            self.advance(breaks);
        }
    }

    /// Skips the rest of an overlong line; returns whether its end was found.
    fn skip_line(&mut self) -> bool {
        let end = self.rest().iter().position(|byte| is_line_break(*byte));
        self.advance(end.unwrap_or_else(|| self.rest().len()));
        self.is_skipping = end.is_none() && !self.is_last;
        !self.is_skipping
    }

    /// Scans the next record and judges it on its own.
    fn judge(&mut self) -> Verdict {
        let delimiter = self.delimiter.unwrap_or(b',');
        let max = self.format.max_record_bytes;
        let rest = self.pending.get(self.at..).unwrap_or_default();
        let is_full = rest.len() > max;
        let window = rest.get(..max).unwrap_or(rest);
        let is_last = self.is_last && !is_full;
        let is_enough = self.is_last || is_full;
        let first_line = window.iter().position(|byte| is_line_break(*byte)).unwrap_or(window.len());
        let last_line_of = |end: usize| {
            let mut lines = self.lines;
            lines.advance(window.get(..end).unwrap_or_default());
            lines.current()
        };

        let as_configured = match self.format.quoting {
            Quoting::Backslash => Escape::Backslash,
            Quoting::Auto | Quoting::Double => Escape::Doubled,
        };
        let scanned = scan(window, Dialect { delimiter, escape: as_configured }, is_last, &mut self.fields);
        let is_usual = |fields: &Fields| self.columns.is_none_or(|columns| fields.len() == columns);
        if let Scanned::Record { end, fault: None } = scanned {
            let is_one_line = end <= first_line;
            let hides_rows = || self.has_rows_inside(window.get(..end).unwrap_or_default());
            if is_usual(&self.fields) && (is_one_line || !hides_rows())
                || is_one_line && self.fields.len() < self.columns.unwrap_or(0)
            {
                return Verdict::Sound(Sound { end, is_backslash: false });
            }
        }
        // More text may still complete it.
        if matches!(scanned, Scanned::Unfinished { .. }) && !is_enough {
            return Verdict::Wait;
        }
        // The record is faulty, unless backslashes escape its quotes.
        if self.format.quoting == Quoting::Auto {
            let dialect = Dialect { delimiter, escape: Escape::Backslash };
            match scan(window, dialect, is_last, &mut self.other_fields) {
                Scanned::Record { end, fault: None }
                    if self.other_fields.has_backslash_quote() && is_usual(&self.other_fields) =>
                {
                    return Verdict::Sound(Sound { end, is_backslash: true });
                }
                Scanned::Unfinished { .. } if !is_enough => return Verdict::Wait,
                _ => {}
            }
        }
        let behind_quote = |fault: TextAfterQuote| Fault::TextAfterQuote {
            field: fault.field,
            line: last_line_of(fault.at),
        };
        match scanned {
            Scanned::Lost { fault } | Scanned::Unfinished { fault: Some(fault), .. } => {
                Verdict::Broken(behind_quote(fault), u64::MAX)
            }
            Scanned::Unfinished { open: Some(field), .. } => {
                Verdict::Broken(Fault::OpenQuote { field }, u64::MAX)
            }
            Scanned::Unfinished { open: None, .. } => {
                let until = if first_line < max { u64::MAX } else { 0 };
                Verdict::Broken(Fault::TooLong { max_bytes: max }, until)
            }
            Scanned::Record { end, fault: Some(fault) } => {
                Verdict::Broken(behind_quote(fault), last_line_of(end))
            }
            // A stray field concerns only its row; several lines mean a problem with quotes.
            Scanned::Record { end, fault: None } if end <= first_line => {
                Verdict::Sound(Sound { end, is_backslash: false })
            }
            Scanned::Record { end, fault: None } if is_usual(&self.fields) => {
                Verdict::Broken(Fault::SeveralRows { last: last_line_of(end) }, last_line_of(end))
            }
            Scanned::Record { end, fault: None } => Verdict::Broken(
                Fault::SeveralLines {
                    last: last_line_of(end),
                    fields: self.fields.len(),
                    columns: self.columns.unwrap_or_default(),
                },
                last_line_of(end),
            ),
        }
    }

    /// Whether every line of a record would be a row by itself: then two
    /// unrelated quotes have joined several rows.
    fn has_rows_inside(&self, record: &[u8]) -> bool {
        let Some(columns) = self.columns.filter(|columns| *columns >= FEW_COLUMNS) else { return false };
        let delimiters = |line: &[u8]| line.iter().filter(|byte| Some(**byte) == self.delimiter).count();
        let mut lines = record.split(|byte| is_line_break(*byte)).filter(|line| !line.is_empty());
        lines.all(|line| delimiters(line) + 1 == columns)
    }

    fn decoded(&self, is_backslash: bool) -> Vec<Field> {
        let fields = if is_backslash { &self.other_fields } else { &self.fields };
        fields.iter().map(|bytes| Field::of(bytes, self.decoder.found())).collect()
    }

    /// Returns the record that was just judged.
    fn take(&mut self, sound: &Sound) -> Record {
        let line = self.lines.current();
        let fields = self.decoded(sound.is_backslash);
        let raw = self.raw(sound.end);
        self.advance(sound.end);
        Record { line, last_line: self.lines.current(), fields, raw, fault: None }
    }

    /// Returns the first line of the record that was just judged, with the
    /// fields that were complete before the fault.
    fn give_up(&mut self, fault: Fault) -> Record {
        let line = self.lines.current();
        let max = self.format.max_record_bytes;
        let first_line = self.rest().iter().take(max).position(|byte| is_line_break(*byte));
        let end = first_line.unwrap_or_else(|| self.rest().len().min(max));
        let mut fields = self.decoded(false);
        let on_first_line = fields.iter().take_while(|field| !field.text.contains(['\r', '\n'])).count();
        fields.truncate(fault.sound_fields().min(on_first_line));
        let raw = self.raw(end);
        self.advance(end);
        self.is_skipping = first_line.is_none();
        Record { line, last_line: line, fields, raw, fault: Some(fault) }
    }

    /// The next `bytes` as text for display.
    fn raw(&self, bytes: usize) -> String {
        // Some extra bytes, so that a character split at the end is cut off later.
        let shown = self.rest().get(..bytes.min(MAX_RAW_BYTES + 4)).unwrap_or_default();
        // Databases accept no NUL in text.
        String::from_utf8_lossy(shown.trim_ascii_end()).replace('\0', "\u{fffd}")
    }
}

#[cfg(test)]
mod tests;
