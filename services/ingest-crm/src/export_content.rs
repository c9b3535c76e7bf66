//! The rows of an export, which may consist of several files.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use bytes::{Bytes, BytesMut};
use domain::{Counters, CrmCompany, FailureKind, Rejection, RejectionReason, SourceRow};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use landing::FileInfo;
use warehouse::{RowStream, SourceError};

use crate::{archive::Archive, company_rows::company_rows, csv_format::CsvFormat, lines::LineCounter};

/// How much of a file's first line is compared with that of other files.
const MAX_HEADER_BYTES: usize = 64 * 1024;

type Chunks = BoxStream<'static, Result<Bytes, landing::Error>>;

/// A file of an export, and its copy.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) path: String,
    pub(crate) copy: FileInfo,
}

/// The state of reading the parts.
struct Reading<'a> {
    archive: &'a Archive,
    format: &'a CsvFormat,
    report: Box<dyn Fn(Counters) + Send + Sync + 'a>,
    read: Mutex<Vec<Counters>>,
    /// Lines of the parts before the current one.
    lines_before: AtomicU64,
    /// The first part and its first line.
    header: Mutex<Option<(String, Bytes)>>,
}

/// The companies of an export, part by part, on demand. `report` is called with
/// the progress over all parts.
///
/// Line numbers continue across the parts, as in one file; a rejected row names its part.
pub(crate) fn export_rows<'a>(
    archive: &'a Archive,
    parts: Vec<Part>,
    format: &'a CsvFormat,
    report: Box<dyn Fn(Counters) + Send + Sync + 'a>,
) -> RowStream<'a, CrmCompany> {
    let has_several = parts.len() > 1;
    let reading = Arc::new(Reading {
        archive,
        format,
        report,
        read: Mutex::new(vec![Counters::default(); parts.len()]),
        lines_before: AtomicU64::new(0),
        header: Mutex::new(None),
    });
    stream::iter(parts.into_iter().enumerate())
        .then(move |(position, part)| {
            let reading = Arc::clone(&reading);
            async move { reading.rows_of(position, part, has_several).await }
        })
        .try_flatten()
        .boxed()
}

impl<'a> Reading<'a> {
    async fn rows_of(
        self: Arc<Self>,
        position: usize,
        part: Part,
        has_several: bool,
    ) -> Result<RowStream<'a, CrmCompany>, SourceError> {
        let chunks = self.archive.read(&part.copy).await.map_err(storage_failed)?;
        let (head, chunks) = head_of(chunks).await?;
        if let Some(format) = known_format(&head) {
            return Err(invalid(
                &part,
                has_several,
                &format!(
                    "it is {format} and no CSV text: replace it by what is in it as CSV, or move it out of the folder"
                ),
            ));
        }
        if !has_several {
            return Ok(company_rows(chunks, self.format, move |read| self.report(position, read)));
        }
        self.check_header(&part, &first_line(&head))?;
        let before = self.lines_before.load(Ordering::Relaxed);
        let (chunks, reporting) = (self.count_lines(chunks), Arc::clone(&self));
        let rows = company_rows(chunks, self.format, move |read| reporting.report(position, read));
        let path = part.path.clone();
        Ok(rows
            .map_ok(move |row| numbered_through(row, before, &path))
            .map_err(move |error| SourceError {
                message: format!("{}: {}", part.path, error.message),
                ..error
            })
            .boxed())
    }

    fn report(&self, position: usize, read: Counters) {
        let Ok(mut parts) = self.read.lock() else { return };
        if let Some(part) = parts.get_mut(position) {
            *part = read;
        }
        let all = parts.iter().fold(Counters::default(), |sum, part| sum + *part);
        drop(parts);
        (self.report)(all);
    }

    /// Parts of one export have the same header; otherwise they do not belong together.
    fn check_header(&self, part: &Part, head: &Bytes) -> Result<(), SourceError> {
        let Ok(mut first) = self.header.lock() else { return Ok(()) };
        match &*first {
            None => *first = Some((part.path.clone(), head.clone())),
            Some((path, header)) if normal(header) != normal(head) => {
                return Err(invalid(
                    part,
                    true,
                    &format!(
                        "its first line is {:?}, that of {path} is {:?}: the parts of an export have the same header",
                        shown(head),
                        shown(header)
                    ),
                ));
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn count_lines(self: &Arc<Self>, chunks: Chunks) -> BoxStream<'a, Result<Bytes, landing::Error>> {
        let reading = Arc::clone(self);
        let before = reading.lines_before.load(Ordering::Relaxed);
        let mut lines = LineCounter::new();
        chunks
            .inspect_ok(move |chunk| {
                lines.advance(chunk);
                reading.lines_before.store(before + lines.current(), Ordering::Relaxed);
            })
            .boxed()
    }
}

/// The first line of a file, and the whole file.
async fn head_of(mut chunks: Chunks) -> Result<(Bytes, Chunks), SourceError> {
    let mut begun = BytesMut::new();
    while begun.len() < MAX_HEADER_BYTES && !begun.iter().any(|byte| is_line_break(*byte)) {
        match chunks.try_next().await.map_err(storage_failed)? {
            Some(chunk) => begun.extend_from_slice(&chunk),
            None => break,
        }
    }
    let begun = begun.freeze();
    Ok((begun.clone(), stream::iter([Ok(begun)]).chain(chunks).boxed()))
}

fn first_line(head: &Bytes) -> Bytes {
    let end = head.iter().position(|byte| is_line_break(*byte)).unwrap_or(head.len());
    head.slice(..end.min(MAX_HEADER_BYTES))
}

fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// A binary format, recognized by its first bytes.
fn known_format(head: &[u8]) -> Option<&'static str> {
    let formats: [(&[u8], &str); 8] = [
        (b"\x1f\x8b", "a gzip file"),
        (b"PK\x03\x04", "a zip file or a spreadsheet (xlsx)"),
        (b"\xd0\xcf\x11\xe0", "a spreadsheet (xls)"),
        (b"BZh", "a bzip2 file"),
        (b"\xfd7zXZ", "an xz file"),
        (b"\x28\xb5\x2f\xfd", "a zstd file"),
        (b"PAR1", "a Parquet file"),
        (b"%PDF-", "a PDF file"),
    ];
    formats.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| name)
}

fn normal(header: &[u8]) -> String {
    shown(header).trim().to_ascii_lowercase()
}

fn shown(header: &[u8]) -> String {
    let text = String::from_utf8_lossy(header);
    text.trim_start_matches('\u{feff}').chars().take(200).collect()
}

/// Converts a part's row to a row of the whole export.
fn numbered_through(row: SourceRow<CrmCompany>, before: u64, path: &str) -> SourceRow<CrmCompany> {
    let rejection = |rejection: Rejection| Rejection {
        line: before + rejection.line,
        reason: RejectionReason::InPart {
            path: path.to_owned(),
            line: rejection.line,
            reason: Box::new(rejection.reason),
        },
        ..rejection
    };
    match row {
        SourceRow::Accepted { line, row } => SourceRow::Accepted { line: before + line, row },
        SourceRow::Partial { row, rejection: rejected } => {
            SourceRow::Partial { row, rejection: rejection(rejected) }
        }
        SourceRow::Rejected(rejected) => SourceRow::Rejected(rejection(rejected)),
    }
}

fn invalid(part: &Part, has_several: bool, problem: &str) -> SourceError {
    let part = if has_several { format!("{}: ", part.path) } else { String::new() };
    SourceError { kind: FailureKind::InvalidInput, message: format!("{part}{problem}") }
}

fn storage_failed(error: landing::Error) -> SourceError {
    SourceError { kind: error.kind(), message: error.to_string() }
}
