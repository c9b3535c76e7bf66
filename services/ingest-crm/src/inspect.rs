//! Inspects the newest CRM export without loading it.

use std::collections::BTreeSet;

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Concerns, CrmCompany, SourceRow};
use file_ingest::is_hidden;
use futures::TryStreamExt;
use landing::{FileInfo, Storage};
use serde::Serialize;

use crate::{
    column_names::Column, company_parser::CompanyParser, config::Options, effective_day::EffectiveDay,
    encoding::Found,
};

/// How much of an export to read, in bytes.
const INSPECTED_BYTES: u64 = 1024 * 1024;

/// How many companies and reasons to show.
const SHOWN_ROWS: usize = 3;

/// The CRM's exports, and how the newest was understood.
#[derive(Debug, Serialize)]
pub struct CrmInspection {
    /// Their location.
    pub location: String,
    /// The number of exports.
    pub exports: usize,
    /// The newest export, if any.
    pub newest: Option<InspectedExport>,
}

/// How an export was understood.
#[derive(Debug, Serialize)]
pub struct InspectedExport {
    /// Its path.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether all of it was read.
    pub is_whole: bool,
    /// The day from which it takes effect, if its name says so.
    pub effective_on: Option<NaiveDate>,
    /// Its encoding.
    pub encoding: &'static str,
    /// Its field delimiter, if known.
    pub delimiter: Option<char>,
    /// The heading of each column.
    pub columns: Vec<InspectedColumn>,
    /// Headings that are ignored.
    pub ignored: Vec<String>,
    /// The number of rows read.
    pub rows: usize,
    /// How many of them have unreadable fields.
    pub partial: usize,
    /// How many of them are not companies.
    pub rejected: usize,
    /// The first companies.
    pub sample: Vec<SampleCompany>,
    /// The first reasons why rows were rejected or only partly read.
    pub reasons: Vec<String>,
    /// Notes for people, with the setting that changes each.
    pub notes: Vec<String>,
    /// Why none of it could be loaded.
    pub problem: Option<String>,
    /// The companies in its rows.
    #[serde(skip)]
    pub company_ids: BTreeSet<String>,
}

/// A column and the heading it was found under.
#[derive(Debug, Serialize)]
pub struct InspectedColumn {
    /// Its name.
    pub column: &'static str,
    /// Its heading; `None` if the export lacks the column.
    pub heading: Option<String>,
}

/// A company as parsed.
#[derive(Debug, Serialize)]
pub struct SampleCompany {
    /// The identifier.
    pub company_id: String,
    /// The name.
    pub name: Option<String>,
    /// The country.
    pub country: Option<String>,
    /// The industry.
    pub industry_tag: Option<String>,
    /// The last contact.
    pub last_contact_at: Option<DateTime<Utc>>,
}

/// Reads only the start of the newest export, with these options.
///
/// # Errors
/// If the location of exports is not set, or they cannot be read.
pub async fn inspect(options: &Options) -> anyhow::Result<CrmInspection> {
    let url = options
        .crm_url
        .as_deref()
        .context("it is not known where the CRM's exports are: set --crm-url or CRM_URL")?;
    let storage = Storage::open(url).context("--crm-url cannot be used")?;
    let listed = storage.list(".csv").await?;
    let files: Vec<FileInfo> =
        listed.into_iter().filter(|file| file.size > 0 && !is_hidden(&file.path)).collect();
    let newest = files.iter().max_by_key(|file| (dated(file, options), file.modified, &file.path));
    let newest = match newest {
        Some(file) => Some(inspect_file(&storage, file, options).await?),
        None => None,
    };
    Ok(CrmInspection { location: storage.to_string(), exports: files.len(), newest })
}

/// The day from which a file takes effect, if that does not depend on the run.
fn dated(file: &FileInfo, options: &Options) -> Option<NaiveDate> {
    let source = options.exports.day_source().ok()?;
    match source.day_of(&file.path, file.modified, options.crm_effective_offset_days) {
        Ok(EffectiveDay::Dated(day)) => Some(day),
        Ok(EffectiveDay::Undated) | Err(_) => None,
    }
}

async fn inspect_file(
    storage: &Storage,
    file: &FileInfo,
    options: &Options,
) -> anyhow::Result<InspectedExport> {
    let mut chunks = storage.read(file).await?;
    let mut parser = CompanyParser::new(&options.csv.format());
    let (mut read, mut rows, mut problem) = (0, Vec::new(), None);
    let is_whole = loop {
        let Some(chunk) = chunks.try_next().await? else { break true };
        read += chunk.len() as u64;
        match parser.push(&chunk) {
            Ok(more) => rows.extend(more),
            Err(refused) => {
                problem = Some(refused.to_string());
                break false;
            }
        }
        if read >= INSPECTED_BYTES {
            break false;
        }
    };
    if is_whole {
        match parser.finish() {
            Ok(more) => rows.extend(more),
            Err(refused) => problem = Some(refused.to_string()),
        }
    }
    let mut inspected = InspectedExport {
        path: file.path.clone(),
        bytes: file.size,
        is_whole,
        effective_on: dated(file, options),
        encoding: parser.encoding().name(),
        delimiter: parser.delimiter().map(char::from),
        columns: Vec::new(),
        ignored: Vec::new(),
        rows: 0,
        partial: 0,
        rejected: 0,
        sample: Vec::new(),
        reasons: Vec::new(),
        notes: parser.notes(),
        problem,
        company_ids: BTreeSet::new(),
    };
    inspected.report_columns(&parser);
    for row in &rows {
        inspected.note(row);
    }
    inspected.judge(parser.encoding());
    Ok(inspected)
}

impl InspectedExport {
    fn report_columns(&mut self, parser: &CompanyParser) {
        let Some(columns) = parser.columns() else { return };
        let headings = columns.headings();
        self.columns = Column::ALL
            .into_iter()
            .map(|column| InspectedColumn {
                column: column.name(),
                heading: columns.place(column).and_then(|at| headings.get(at).cloned()),
            })
            .collect();
        let is_read = |at: usize| Column::ALL.into_iter().any(|column| columns.place(column) == Some(at));
        let ignored = headings.iter().enumerate().filter(|(at, _)| !is_read(*at));
        self.ignored = ignored.map(|(_, heading)| heading.clone()).collect();
    }

    fn note(&mut self, row: &SourceRow<CrmCompany>) {
        self.rows += 1;
        let company = match row {
            SourceRow::Accepted { row, .. } => Some(row),
            SourceRow::Partial { row, .. } => {
                self.partial += 1;
                Some(row)
            }
            SourceRow::Rejected(_) => {
                self.rejected += 1;
                None
            }
        };
        let is_nobodys = row.rejection().is_some_and(|rejection| rejection.concerns == Concerns::NoOne);
        if let Some(rejection) = row.rejection().filter(|_| !is_nobodys)
            && self.reasons.len() < SHOWN_ROWS
        {
            self.reasons.push(format!("line {}: {}", rejection.line, rejection.reason));
        }
        if let Some(company) = company {
            self.company_ids.insert(company.company_id.to_string());
            if self.sample.len() < SHOWN_ROWS {
                self.sample.push(SampleCompany {
                    company_id: company.company_id.to_string(),
                    name: company.attributes.name.clone(),
                    country: company.attributes.country.clone(),
                    industry_tag: company.attributes.industry_tag.clone(),
                    last_contact_at: company.attributes.last_contact_at,
                });
            }
        }
    }

    /// Reports what a run would refuse.
    fn judge(&mut self, encoding: Found) {
        if self.effective_on.is_none() {
            self.notes.push(
                "its path has no date, so the run that reads it decides from which day it counts".to_owned(),
            );
        }
        if self.problem.is_none() && self.company_ids.is_empty() {
            let reasons = self.reasons.join("; ");
            self.problem = Some(match self.rows {
                0 => "it has a header and no company below it".to_owned(),
                rows => format!("none of its {rows} rows is a company: {reasons}"),
            });
        }
        if let Found::Utf8 { perhaps: Some(other) } = encoding {
            self.notes.push(format!(
                "it has bytes that are no UTF-8 text, and may be written in {}: {}",
                other.name(),
                encoding.way_out()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    async fn inspected(files: &[(&str, &[u8])], arguments: &[&str]) -> CrmInspection {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let url = format!("file://{}/", folder.path().display());
        let line = ["check", "--crm-url", &url];
        let options = CommandLine::parse_from(line.iter().chain(arguments)).options;
        inspect(&options).await.unwrap()
    }

    #[tokio::test]
    async fn the_newest_export_is_recognised_by_its_date_and_read() {
        let inspection = inspected(
            &[
                ("a_2026-02-02.csv", b"company_id;name;note\nacme;Z\xfcrich AG;x\n;y\nbeta;B;\n3 rows\n"),
                ("b_2026-02-01.csv", b"company_id\nold\n"),
                ("._z_2026-02-03.csv", b"junk"),
                ("z_2026-02-04.csv", b""),
            ],
            &[],
        )
        .await;
        let newest = inspection.newest.unwrap();
        assert_eq!(newest.path, "a_2026-02-02.csv");
        assert_eq!(newest.effective_on.unwrap().to_string(), "2026-02-02");
        assert_eq!((newest.encoding, newest.delimiter), ("windows-1252", Some(';')));
        assert_eq!((newest.rows, newest.partial, newest.rejected), (4, 0, 2));
        assert_eq!(newest.ignored, ["note"]);
        assert_eq!(newest.sample[0].name.as_deref(), Some("Zürich AG"));
        assert_eq!(newest.reasons, ["line 3: company_id is empty"]);
        assert_eq!(newest.problem, None);
        assert!(newest.notes[0].contains("--crm-encoding"), "{:?}", newest.notes);
        assert!(newest.notes.iter().any(|note| note.contains("no column country")), "{:?}", newest.notes);
    }

    #[tokio::test]
    async fn a_header_of_another_crm_is_reported_with_the_setting_that_reads_it() {
        let export = b"Record ID,Company name,Industry,Country/Region\n12,Acme,Retail,US\n";
        let problem = inspected(&[("hubspot.csv", export)], &[]).await.newest.unwrap().problem.unwrap();
        assert!(problem.ends_with("use --crm-columns-preset hubspot"), "{problem}");
        let newest =
            inspected(&[("hubspot.csv", export)], &["--crm-columns-preset", "hubspot"]).await.newest.unwrap();
        assert_eq!((newest.problem, newest.sample.len(), newest.effective_on), (None, 1, None));
        assert_eq!(newest.columns[0].heading.as_deref(), Some("Record ID"));
    }

    #[tokio::test]
    async fn an_export_without_any_company_could_not_be_loaded() {
        let problem = |inspection: CrmInspection| inspection.newest.unwrap().problem.unwrap();
        let empty = inspected(&[("a.csv", b"company_id\n")], &[]).await;
        assert_eq!(problem(empty), "it has a header and no company below it");
        let bad = inspected(&[("a.csv", b"name,company_id\nx,\n")], &[]).await;
        assert_eq!(problem(bad), "none of its 1 rows is a company: line 2: company_id is empty");
    }
}
