//! Streams the companies of a CRM export.

use std::vec;

use bytes::Bytes;
use domain::{Counters, CrmCompany, FailureKind, SourceRow};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use tracing::info;
use warehouse::{RowStream, SourceError};

use crate::{company_parser::CompanyParser, csv_format::CsvFormat};

/// The companies of an export, read on demand. `report` is called after every
/// chunk with the progress so far.
///
/// A file that must be refused ends in an error of kind [`FailureKind::InvalidInput`].
pub(crate) fn company_rows<'a>(
    chunks: BoxStream<'a, Result<Bytes, landing::Error>>,
    format: &CsvFormat,
    report: impl Fn(Counters) + Send + 'a,
) -> RowStream<'a, CrmCompany> {
    let reading = Reading {
        // The end of the file is a chunk of its own.
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
    /// The rows of the next chunk; `None` after the last.
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use domain::RejectionReason;

    use super::*;

    fn read(
        chunks: Vec<Result<Bytes, landing::Error>>,
    ) -> (Result<Vec<SourceRow<CrmCompany>>, SourceError>, Counters) {
        let last = Mutex::new(Counters::default());
        let rows = company_rows(stream::iter(chunks).boxed(), &CsvFormat::default(), |read| {
            *last.lock().unwrap() = read;
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
}
