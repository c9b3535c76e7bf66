//! A CRM export as a stream of companies.

use std::{collections::VecDeque, vec};

use bytes::Bytes;
use domain::{Counters, CrmCompany, FailureKind, SourceRow, company::MAX_COMPANY_TEXT_BYTES};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use tracing::info;
use warehouse::{RowStream, SourceError};

use crate::{
    company_columns::CompanyColumns,
    csv_format::CsvFormat,
    csv_records::{Record, RecordReader},
    encoding::Found,
    invalid_file::InvalidFile,
};

/// How many records at the end may be what is written below the rows.
const MAX_FOOTERS: usize = 20;

/// The companies of an export, read as they are asked for. `report` is told
/// after every chunk what has been read so far.
///
/// A file that must be refused ends in an error of kind
/// [`FailureKind::InvalidInput`].
pub(crate) fn company_rows<'a>(
    chunks: BoxStream<'a, Result<Bytes, landing::Error>>,
    format: &CsvFormat,
    report: impl Fn(Counters) + Send + 'a,
) -> RowStream<'a, CrmCompany> {
    let reading = Reading {
        // The end of the file is a chunk of its own kind.
        chunks: chunks.map_ok(Some).chain(stream::once(async { Ok(None) })).boxed(),
        parser: CompanyParser::new(format),
        report,
        read: Counters::default(),
    };
    stream::try_unfold(reading, |mut reading| async move {
        Ok::<_, SourceError>(reading.next().await?.map(|rows| (stream::iter(rows).map(Ok), reading)))
    })
    .try_flatten()
    .boxed()
}

struct Reading<'a, R> {
    chunks: BoxStream<'a, Result<Option<Bytes>, landing::Error>>,
    parser: CompanyParser,
    report: R,
    read: Counters,
}

impl<R: Fn(Counters)> Reading<'_, R> {
    /// The rows of the next chunk; `None` behind the last.
    async fn next(&mut self) -> Result<Option<vec::IntoIter<SourceRow<CrmCompany>>>, SourceError> {
        let chunk = match self.chunks.try_next().await {
            Ok(None) => return Ok(None),
            Ok(Some(chunk)) => chunk,
            Err(error) => return Err(SourceError { kind: error.kind(), message: error.to_string() }),
        };
        let rows = match &chunk {
            Some(bytes) => self.parser.push(bytes),
            None => self.parser.finish(),
        };
        if chunk.is_none() {
            self.parser.notes().iter().for_each(|note| info!("{note}"));
        }
        let rows = rows.map_err(|problem| SourceError {
            kind: FailureKind::InvalidInput,
            message: problem.to_string(),
        })?;
        self.read.bytes_read += chunk.map_or(0, |bytes| bytes.len() as u64);
        self.read.rows_read += rows.len() as u64;
        let rejected = rows.iter().filter(|row| row.rejection().is_some()).count();
        self.read.rows_rejected += rejected as u64;
        (self.report)(self.read);
        Ok(Some(rows.into_iter()))
    }
}

/// Companies from the bytes of an export.
pub(crate) struct CompanyParser {
    format: CsvFormat,
    reader: RecordReader,
    /// Known once the header has been read.
    columns: Option<CompanyColumns>,
    /// Records that may be what is written below the rows: that shows at the end.
    held: VecDeque<Record>,
    /// A record with too few fields, which the next line may complete.
    short: Option<Record>,
    /// The line on which the record before ended.
    last_line: u64,
}

impl CompanyParser {
    pub(crate) fn new(format: &CsvFormat) -> Self {
        Self {
            reader: RecordReader::new(format.records),
            format: format.clone(),
            columns: None,
            held: VecDeque::new(),
            short: None,
            last_line: 0,
        }
    }

    /// Takes the next bytes and gives the rows that they complete.
    ///
    /// # Errors
    /// If the file must be refused.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<SourceRow<CrmCompany>>, InvalidFile> {
        self.reader.push(chunk);
        self.take_rows()
    }

    /// Ends the file and gives its last rows.
    ///
    /// # Errors
    /// If the file must be refused.
    pub(crate) fn finish(&mut self) -> Result<Vec<SourceRow<CrmCompany>>, InvalidFile> {
        self.reader.finish();
        let mut rows = self.take_rows()?;
        let encoding = self.reader.encoding();
        if let (Some(columns), Some(short)) = (&self.columns, self.short.take()) {
            rows.push(columns.row(&short, encoding, MAX_COMPANY_TEXT_BYTES));
        }
        rows.extend(self.held.drain(..).map(|record| CompanyColumns::footer(&record)));
        Ok(rows)
    }

    /// Where the columns are, once the header has been read.
    pub(crate) const fn columns(&self) -> Option<&CompanyColumns> {
        self.columns.as_ref()
    }

    /// What the file is written in, as far as it has been read.
    pub(crate) const fn encoding(&self) -> Found {
        self.reader.encoding()
    }

    /// What separates its fields, once that is known.
    pub(crate) const fn delimiter(&self) -> Option<u8> {
        self.reader.delimiter()
    }

    /// What people should know of how the file was understood.
    pub(crate) fn notes(&self) -> Vec<String> {
        let encoding = (self.encoding() == Found::Windows1252).then(|| {
            "it is no UTF-8 and plainly Windows-1252, so it is read as that; --crm-encoding names another"
                .to_owned()
        });
        let missing = self
            .columns
            .iter()
            .flat_map(CompanyColumns::missing)
            .map(|column| format!("there is no column {column}; what it would say stays unknown"));
        encoding.into_iter().chain(missing).collect()
    }

    fn take_rows(&mut self) -> Result<Vec<SourceRow<CrmCompany>>, InvalidFile> {
        let names = &self.format.columns;
        let columns = match &mut self.columns {
            Some(columns) => columns,
            none => match self.reader.header(|headings| names.rate(headings))? {
                Some(header) => {
                    self.last_line = header.last_line;
                    none.insert(CompanyColumns::of(&header, names)?)
                }
                None => return Ok(Vec::new()),
            },
        };
        let mut rows = Vec::new();
        while let Some(record) = self.reader.next(|fields| columns.are_plausible(fields)) {
            let encoding = self.reader.encoding();
            let row = |record: &Record| columns.row(record, encoding, MAX_COMPANY_TEXT_BYTES);
            let follows_blank_line = record.line > self.last_line + 1 || !self.held.is_empty();
            self.last_line = record.last_line;
            if let Some(short) = self.short.take() {
                if columns.are_torn_apart(&short, &record) {
                    rows.extend(columns.torn_rows(&short, &record));
                    continue;
                }
                rows.push(row(&short));
            }
            if columns.may_be_footer(&record, follows_blank_line) {
                self.held.push_back(record);
                // More than that is a list of something.
                if self.held.len() > MAX_FOOTERS {
                    rows.extend(self.held.pop_front().map(|record| row(&record)));
                }
                continue;
            }
            rows.extend(self.held.drain(..).map(|record| row(&record)));
            if columns.is_short(&record) {
                self.short = Some(record);
            } else {
                rows.push(row(&record));
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use domain::RejectionReason;
    use proptest::prelude::*;

    use super::*;

    fn read(
        chunks: Vec<Result<Bytes, landing::Error>>,
    ) -> (Result<Vec<SourceRow<CrmCompany>>, SourceError>, Counters) {
        let last = Mutex::new(Counters::default());
        let rows = company_rows(stream::iter(chunks).boxed(), &CsvFormat::default(), |read| {
            *last.lock().unwrap() = read
        });
        let rows = futures::executor::block_on(rows.try_collect());
        let counters = *last.lock().unwrap();
        (rows, counters)
    }

    fn chunk(text: &'static str) -> Result<Bytes, landing::Error> {
        Ok(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn good_rows_and_bad_rows_come_in_the_order_of_the_file() {
        let (rows, counters) =
            read(vec![chunk("company_id,name\r\nacme,\"Ac"), chunk("me, Inc\"\r\n,nobody\r\nbolt,Bolt")]);
        let rows = rows.unwrap();
        let lines: Vec<(u64, bool)> = rows
            .iter()
            .map(|row| match row {
                SourceRow::Accepted { line, .. } => (*line, true),
                SourceRow::Partial { rejection, .. } | SourceRow::Rejected(rejection) => {
                    (rejection.line, false)
                }
            })
            .collect();
        assert_eq!(lines, [(2, true), (3, false), (4, true)]);
        let SourceRow::Rejected(rejection) = &rows[1] else { panic!("{rows:?}") };
        assert_eq!(rejection.raw, ",nobody");
        assert!(matches!(rejection.reason, RejectionReason::CompanyId(_)));
        assert_eq!((counters.rows_read, counters.rows_rejected, counters.bytes_read), (3, 1, 53));
    }

    fn told(file: &str) -> Vec<String> {
        let (rows, counters) = read(vec![Ok(Bytes::copy_from_slice(file.as_bytes()))]);
        let rows = rows.unwrap();
        assert_eq!(counters.rows_read, rows.len() as u64);
        let told = |row: &SourceRow<CrmCompany>| match row {
            SourceRow::Accepted { line, row } => format!("{line} {}", row.company_id),
            SourceRow::Partial { row, rejection } => {
                format!("{} {} but {}", rejection.line, row.company_id, rejection.reason)
            }
            SourceRow::Rejected(rejection) => {
                format!("{} {:?}: {}", rejection.line, rejection.concerns, rejection.reason)
            }
        };
        rows.iter().map(told).collect()
    }

    const HEADER: &str = "company_id,name,country,industry_tag,last_contact_at\n";

    #[track_caller]
    fn assert_told(rows: &str, expected: &[&str]) {
        let told = told(&format!("{HEADER}{rows}"));
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told:?} instead of {expected:?}");
        }
    }

    #[test]
    fn what_is_written_below_the_rows_is_no_company() {
        for footer in [
            "Total: 3\n",
            "(3 rows affected)\n",
            "3 rows\n",
            "--- end ---",
            "Total,,,,3\n",
            "\nAcme Corp\nCopyright (c) 2000-2026 example.com\nConfidential Information\n",
            ",,,,3\n",
            "EOF\n",
        ] {
            let told = told(&format!("{HEADER}acme,Acme,US,saas,\nbeta,Beta\ngamma\n{footer}"));
            assert_eq!(told[..3], ["2 acme", "3 beta", "4 gamma"], "{footer}");
            assert!(told.len() > 3 && told[3..].iter().all(|row| row.contains(" NoOne: ")), "{told:?}");
        }
    }

    #[test]
    fn what_looks_like_a_footer_and_is_followed_by_rows_is_a_row() {
        assert_told("acme,Acme\n\nbeta\ncity,City,US,x,\n", &["2 acme", "4 beta", "5 city"]);
        assert_told(",,,,3\nacme,Acme,,,\n", &["2 Anyone: company_id is empty", "3 acme"]);
        assert_told("acme,Acme,,,\n,Nobody,,,\n", &["2 acme", "3 Anyone: company_id is empty"]);
    }

    #[test]
    fn a_row_that_a_line_break_tears_apart_makes_no_second_company() {
        assert_told(
            "acme,Acme\nInc,US,saas,2026-02-01\nbeta,Beta,DE\n",
            &[
                "2 acme but goes on in line 3: put values with a line break in quotes",
                "3 Company(CompanyId(\"acme\")): is the rest of line 2",
                "4 beta",
            ],
        );
        // Rows that merely lack their last cells, and could be put together.
        assert_told("acme,Acme,US\nbeta,Beta,DE\n", &["2 acme", "3 beta"]);
    }

    #[test]
    fn exports_joined_into_one_are_read_through_their_headers() {
        assert_told(
            &format!("acme,Acme,US,saas,\n\u{feff}{HEADER}\u{feff}beta,Beta,DE,x,\n"),
            &["2 acme", "3 NoOne: repeats the header", "4 beta"],
        );
    }

    #[test]
    fn a_file_without_header_is_refused_and_one_without_rows_is_not() {
        assert_eq!(read(vec![]).0.unwrap_err().kind, FailureKind::InvalidInput);
        assert_eq!(read(vec![chunk("company_id")]).0.unwrap(), []);
    }

    #[test]
    fn trouble_of_the_storage_keeps_its_kind() {
        let changed = landing::Error::Changed { root: "file:///crm/".into(), path: "a.csv".into() };
        let error = read(vec![chunk("company_id\nacme\n"), Err(changed)]).0.unwrap_err();
        assert_eq!(error.kind, FailureKind::Conflict);
        assert!(error.message.contains("a.csv"), "{}", error.message);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn any_bytes_in_any_chunks_give_the_same_rows(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                &b"acme"[..], b"beta,Beta,DE,x,2026-02-01\n", b",", b"\"", b"\n", b"\r\n", b"2026-02-01", b"\xc3\xbc",
                b"\xfc", b"\0", b"\xef\xbb\xbf", b"Total: 3\n", b"company_id,name,country,industry_tag,last_contact_at\n",
                b"\\\"", b";",
            ]), 0..40),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        ) {
            let file = [HEADER.as_bytes(), &pieces.concat()].concat();
            let parse = |chunks: &[&[u8]]| {
                let mut parser = CompanyParser::new(&CsvFormat::default());
                let mut rows = Vec::new();
                for chunk in chunks {
                    rows.extend(parser.push(chunk)?);
                }
                rows.extend(parser.finish()?);
                Ok::<_, InvalidFile>((rows, parser.notes()))
            };
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
            cuts.extend([0, file.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &file[cut[0]..cut[1]]).collect();
            let whole = parse(&[&file]);
            prop_assert_eq!(&parse(&chunks), &whole);
            let single: Vec<&[u8]> = file.chunks(1).collect();
            prop_assert_eq!(&parse(&single), &whole);
            // No identifier is anything but settled, whatever the bytes.
            for row in whole.into_iter().flat_map(|(rows, _)| rows) {
                if let SourceRow::Accepted { row, .. } | SourceRow::Partial { row, .. } = row {
                    let id = row.company_id.as_str();
                    prop_assert_eq!(&*domain::text::settled(id), id);
                }
            }
        }
    }
}
