//! CSV records from chunks of bytes, in bounded memory.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use domain::rejection::MAX_RAW_BYTES;

use crate::{csv_header::CsvHead, encoding::Encoding, invalid_file::InvalidFile, lines::LineCounter};

/// One record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The physical line it begins on, from 1.
    pub(crate) line: u64,
    /// Its fields, unquoted.
    pub(crate) fields: Vec<String>,
    /// Its beginning as the file has it, at least [`MAX_RAW_BYTES`] of it.
    pub(crate) raw: String,
}

/// Takes a file in chunks and gives its records, the header first. Where the
/// chunks end makes no difference.
#[derive(Debug)]
pub(crate) struct RecordReader {
    max_record_bytes: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Head(CsvHead),
    Body(Box<Parser>),
}

impl RecordReader {
    /// A reader of a file none of whose records is longer than `max_record_bytes`.
    pub(crate) fn new(max_record_bytes: usize) -> Self {
        Self { max_record_bytes, state: State::Head(CsvHead::new(max_record_bytes)) }
    }

    /// Takes the next chunk and appends the records that it completes.
    pub(crate) fn push(&mut self, chunk: &[u8], records: &mut Vec<Record>) -> Result<(), InvalidFile> {
        match &mut self.state {
            State::Body(parser) => parser.push(chunk, records),
            State::Head(head) => {
                if head.push(chunk)? {
                    self.start_body(records)?;
                }
                Ok(())
            }
        }
    }

    /// Ends the file and appends its last record, if no line break ended it.
    pub(crate) fn finish(&mut self, records: &mut Vec<Record>) -> Result<(), InvalidFile> {
        if matches!(self.state, State::Head(_)) {
            self.start_body(records)?;
        }
        match &mut self.state {
            State::Head(_) => Ok(()),
            State::Body(parser) => parser.finish(records),
        }
    }

    fn start_body(&mut self, records: &mut Vec<Record>) -> Result<(), InvalidFile> {
        if let State::Head(head) = &mut self.state {
            let (delimiter, beginning) = head.finish();
            let mut parser = Parser::new(delimiter, self.max_record_bytes);
            parser.push(&beginning, records)?;
            self.state = State::Body(Box::new(parser));
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Parser {
    csv: Reader,
    max_record_bytes: usize,
    lines: LineCounter,
    record: PartialRecord,
    /// Room for csv-core, which does not allocate; the first `len` are filled.
    fields: Filled<u8>,
    /// Where each field ends in `fields`.
    ends: Filled<usize>,
}

/// What is known of the record being read, besides its fields.
#[derive(Debug, Default)]
struct PartialRecord {
    /// Where it begins; `None` between records.
    line: Option<u64>,
    bytes: usize,
    raw: Vec<u8>,
}

#[derive(Debug)]
struct Filled<T> {
    room: Vec<T>,
    len: usize,
}

impl<T: Clone + Default> Filled<T> {
    fn with_room(room: usize) -> Self {
        Self { room: vec![T::default(); room], len: 0 }
    }

    fn rest(&mut self) -> &mut [T] {
        self.room.get_mut(self.len..).unwrap_or_default()
    }

    fn filled(&self) -> &[T] {
        self.room.get(..self.len).unwrap_or_default()
    }

    fn grow(&mut self) {
        self.room.resize(self.room.len() * 2, T::default());
    }
}

impl Parser {
    fn new(delimiter: u8, max_record_bytes: usize) -> Self {
        Self {
            csv: ReaderBuilder::new().delimiter(delimiter).build(),
            max_record_bytes,
            lines: LineCounter::new(),
            record: PartialRecord::default(),
            fields: Filled::with_room(1024),
            ends: Filled::with_room(16),
        }
    }

    fn push(&mut self, mut chunk: &[u8], records: &mut Vec<Record>) -> Result<(), InvalidFile> {
        loop {
            if self.record.line.is_none() {
                chunk = self.skip_line_breaks(chunk);
            }
            if chunk.is_empty() {
                return Ok(());
            }
            let begins_on = *self.record.line.get_or_insert(self.lines.current());
            let (result, read, filled, ended) =
                self.csv.read_record(chunk, self.fields.rest(), self.ends.rest());
            self.fields.len += filled;
            self.ends.len += ended;
            let (now, later) = chunk.split_at(read);
            self.note(begins_on, now)?;
            chunk = later;
            match result {
                ReadRecordResult::Record => records.push(self.end_record(begins_on)),
                ReadRecordResult::OutputFull => self.fields.grow(),
                ReadRecordResult::OutputEndsFull => self.ends.grow(),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            }
        }
    }

    /// csv-core skips empty lines too, but would begin the record on the first of them.
    fn skip_line_breaks<'chunk>(&mut self, chunk: &'chunk [u8]) -> &'chunk [u8] {
        let breaks = chunk.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let (breaks, rest) = chunk.split_at(breaks);
        self.lines.advance(breaks);
        rest
    }

    /// Checks and keeps what csv-core has just read of a record.
    fn note(&mut self, begins_on: u64, bytes: &[u8]) -> Result<(), InvalidFile> {
        let allowed = bytes.len().min(self.max_record_bytes - self.record.bytes);
        let (allowed, excess) = bytes.split_at(allowed);
        if let Some(at) = allowed.iter().position(|byte| *byte == 0) {
            self.lines.advance(allowed.get(..at).unwrap_or_default());
            return Err(InvalidFile::NotText { line: self.lines.current() });
        }
        if !excess.is_empty() {
            return Err(InvalidFile::RecordTooLong { line: begins_on, max_bytes: self.max_record_bytes });
        }
        self.lines.advance(allowed);
        self.record.bytes += allowed.len();
        // Enough that a character cut in two at the end is cut off later.
        let room = (MAX_RAW_BYTES + 4).saturating_sub(self.record.raw.len());
        self.record.raw.extend(allowed.iter().take(room));
        Ok(())
    }

    fn end_record(&mut self, line: u64) -> Record {
        let encoding = Encoding::of(&fields(&self.fields, &self.ends));
        let fields = fields(&self.fields, &self.ends).map(|field| encoding.decode(field)).collect();
        let raw = encoding.decode(self.record.raw.trim_ascii_end());
        self.record = PartialRecord::default();
        self.fields.len = 0;
        self.ends.len = 0;
        Record { line, fields, raw }
    }

    fn finish(&mut self, records: &mut Vec<Record>) -> Result<(), InvalidFile> {
        let Some(line) = self.record.line else {
            return Ok(());
        };
        // A line break ends every record but one: inside quotes it is content.
        let mut rest: &[u8] = b"\n";
        loop {
            let (result, read, filled, ended) =
                self.csv.read_record(rest, self.fields.rest(), self.ends.rest());
            self.fields.len += filled;
            self.ends.len += ended;
            rest = rest.get(read..).unwrap_or_default();
            match result {
                ReadRecordResult::Record => {
                    records.push(self.end_record(line));
                    return Ok(());
                }
                _ if rest.is_empty() => return Err(InvalidFile::UnterminatedQuote { line }),
                _ => {
                    self.fields.grow();
                    self.ends.grow();
                }
            }
        }
    }
}

/// The fields of a complete record.
fn fields<'record>(
    bytes: &'record Filled<u8>,
    ends: &'record Filled<usize>,
) -> impl Iterator<Item = &'record [u8]> + Clone {
    let starts = std::iter::once(0).chain(ends.filled().iter().copied());
    starts.zip(ends.filled()).map(|(start, end)| bytes.filled().get(start..*end).unwrap_or_default())
}

#[cfg(test)]
mod tests;
