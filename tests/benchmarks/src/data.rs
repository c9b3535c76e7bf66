//! The sources: generated from one seed, written to files, and parsed as in a
//! load. Both sides of a comparison read the same rows.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use domain::{
    CompanyAttributes, CompanyId, CrmCompany, DateWindow, FailureKind, Rejection, RejectionReason, SourceRow,
    UsageRecord,
};
use futures::{StreamExt as _, stream};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Deserialize;
use warehouse::{RowStream, SourceError};

/// The share of companies with a record on a day.
const USAGE_SHARE: f64 = 0.85;

/// The share of companies that the next day's export changes.
const CHANGED_SHARE: f64 = 0.02;

/// The first day of all.
const FIRST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2026, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// The sources, as files in a folder.
pub(crate) struct Sources {
    companies: u32,
    folder: PathBuf,
}

/// A day's usage in each side's format.
pub(crate) struct UsageFiles {
    /// As landed from the product API.
    pub(crate) ndjson: PathBuf,
    /// The same rows for `\copy`.
    pub(crate) csv: PathBuf,
}

/// The day `offset` days after the first.
pub(crate) fn day(offset: u32) -> NaiveDate {
    FIRST_DAY.checked_add_days(Days::new(u64::from(offset))).unwrap_or(NaiveDate::MAX)
}

/// The days from one offset up to, but excluding, another.
pub(crate) fn window(from: u32, until: u32) -> Result<DateWindow> {
    Ok(DateWindow::new(day(from), day(until.saturating_sub(1)))?)
}

impl Sources {
    pub(crate) fn new(companies: u32, folder: &Path) -> Self {
        Self { companies, folder: folder.to_owned() }
    }

    /// Writes an export of all companies. In the `next` one, some have changed.
    pub(crate) fn write_crm(&self, next: bool) -> Result<PathBuf> {
        let path = self.folder.join(if next { "crm_next.csv" } else { "crm.csv" });
        let mut file = BufWriter::new(File::create(&path)?);
        writeln!(file, "company_id,name,country,industry_tag,last_contact_at")?;
        let mut random = StdRng::seed_from_u64(1);
        for index in 0..self.companies {
            let changed = next && random.random_bool(CHANGED_SHARE);
            let contact = day(0).and_time(chrono::NaiveTime::MIN).and_utc()
                - TimeDelta::minutes(i64::from(index) * 7 % 300_000)
                + TimeDelta::days(i64::from(changed) * 30);
            let country = ["SG", "DE", "US", "JP"].get(index as usize % 4).unwrap_or(&"SG");
            let industry = ["saas", "retail", "logistics"].get(index as usize % 3).unwrap_or(&"saas");
            writeln!(
                file,
                "{},Company {index},{country},{industry},{}",
                company_id(index),
                contact.format("%FT%TZ")
            )?;
        }
        file.flush()?;
        Ok(path)
    }

    /// Writes a day's usage for both sides. With `late`, the first company
    /// without a record of the day gets one.
    pub(crate) fn write_usage(&self, offset: u32, mut late: bool) -> Result<UsageFiles> {
        let on = day(offset);
        let files = UsageFiles {
            ndjson: self.folder.join(format!("usage_{on}.ndjson")),
            csv: self.folder.join(format!("usage_{on}.csv")),
        };
        let mut ndjson = BufWriter::new(File::create(&files.ndjson)?);
        let mut csv = BufWriter::new(File::create(&files.csv)?);
        writeln!(csv, "company_id,date,active_users,events")?;
        // Drawn for every company, so that a day's records are the same each time they are written.
        let mut random = StdRng::seed_from_u64(1_000 + u64::from(offset));
        for index in 0..self.companies {
            let is_active = random.random_bool(USAGE_SHARE);
            let active_users = random.random_range(1..=2 + index % 200);
            let events = active_users * random.random_range(0..20);
            if is_active || std::mem::take(&mut late) {
                let id = company_id(index);
                writeln!(
                    ndjson,
                    r#"{{"company_id":"{id}","date":"{on}","active_users":{active_users},"events":{events}}}"#
                )?;
                writeln!(csv, "{id},{on},{active_users},{events}")?;
            }
        }
        ndjson.flush()?;
        csv.flush()?;
        Ok(files)
    }
}

impl UsageFiles {
    /// Frees disk space: files are small compared with the database, but there are many.
    pub(crate) fn remove(self) -> Result<()> {
        std::fs::remove_file(self.ndjson)?;
        std::fs::remove_file(self.csv)?;
        Ok(())
    }
}

fn company_id(index: u32) -> String {
    format!("company-{index:07}")
}

/// The rows of an export, parsed on demand.
pub(crate) fn crm_rows(path: &Path) -> Result<RowStream<'static, CrmCompany>> {
    #[derive(Deserialize)]
    struct Row {
        company_id: String,
        name: Option<String>,
        country: Option<String>,
        industry_tag: Option<String>,
        last_contact_at: Option<DateTime<Utc>>,
    }
    let reader = csv::Reader::from_path(path)?;
    let rows = reader.into_deserialize::<Row>().zip(2..).map(|(row, line)| {
        let row = row.map_err(|error| unreadable(&error))?;
        Ok(match CompanyId::parse(&row.company_id) {
            Ok(company_id) => SourceRow::Accepted {
                line,
                row: CrmCompany::read_in_full(
                    company_id,
                    CompanyAttributes {
                        name: row.name,
                        country: row.country,
                        industry_tag: row.industry_tag,
                        last_contact_at: row.last_contact_at,
                    },
                ),
            },
            Err(reason) => rejected(line, RejectionReason::CompanyId(reason), &row.company_id),
        })
    });
    Ok(stream::iter(rows).boxed())
}

/// The records of a landed day, parsed on demand.
pub(crate) fn usage_rows(path: &Path, on: NaiveDate) -> Result<RowStream<'static, UsageRecord>> {
    #[derive(Deserialize)]
    struct Record<'a> {
        company_id: &'a str,
        date: &'a str,
        active_users: i64,
        events: i64,
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let lines = BufReader::new(file).lines().zip(1..).map(move |(text, line)| {
        let text = text.map_err(|error| unreadable(&error))?;
        let record: Record<'_> = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
        let Record { company_id, date, active_users, events } = record;
        Ok(match UsageRecord::check(company_id, date, active_users, events, DateWindow::day(on)) {
            Ok(row) => SourceRow::Accepted { line, row },
            Err(reason) => rejected(line, reason, &text),
        })
    });
    Ok(stream::iter(lines).boxed())
}

fn rejected<T>(line: u64, reason: RejectionReason, raw: &str) -> SourceRow<T> {
    SourceRow::Rejected(Rejection::new(line, reason, raw))
}

fn unreadable(error: &dyn std::error::Error) -> SourceError {
    SourceError { kind: FailureKind::Internal, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;

    use super::*;

    #[test]
    fn a_day_is_the_same_however_often_it_is_written_but_for_a_late_record() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources::new(500, folder.path());
        let read = |late| {
            let files = sources.write_usage(3, late).unwrap();
            let rows = usage_rows(&files.ndjson, day(3)).unwrap();
            let rows: Vec<_> = futures::executor::block_on(rows.try_collect()).unwrap();
            (rows, std::fs::read_to_string(&files.csv).unwrap())
        };
        let (rows, csv) = read(false);
        assert_eq!(csv.lines().count(), rows.len() + 1);
        assert_eq!(read(false).1, csv);
        let (_, with_late) = read(true);
        let added: Vec<&str> =
            with_late.lines().filter(|line| !csv.lines().any(|known| known == *line)).collect();
        assert_eq!((added.len(), with_late.lines().count()), (1, csv.lines().count() + 1));
    }

    #[test]
    fn an_export_has_every_company() {
        let folder = tempfile::tempdir().unwrap();
        let path = Sources::new(300, folder.path()).write_crm(false).unwrap();
        let rows: Vec<_> = futures::executor::block_on(crm_rows(&path).unwrap().try_collect()).unwrap();
        assert_eq!(rows.len(), 300);
        assert!(rows.iter().all(|row| matches!(row, SourceRow::Accepted { .. })));
    }
}
