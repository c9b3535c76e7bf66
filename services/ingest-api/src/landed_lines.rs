//! Finds the lines of a company in a landed file.

use std::collections::VecDeque;

use chrono::NaiveDate;
use domain::{
    CompanyId, Concerns, DateWindow, RejectionReason, UsageNumbers, provenance::Fetch, usage::page_of,
};
use futures::TryStreamExt;
use landing::{FileInfo, NumberedLines, Storage};
use tracing::warn;

use crate::{
    answer_options::Reading,
    day_reader::MAX_RECORD_BYTES,
    record::{ReadRecord, parse_record},
    usage_file::is_loaded,
};

/// The most lines to remember of a file. A company usually has one.
const MOST_LINES: usize = 20;

/// What a landed file says of a company.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LandedFile {
    pub(crate) state: FileState,
    /// In their order, the last ones.
    pub(crate) lines: Vec<LandedLine>,
}

/// What became of a landed file since it was staged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum FileState {
    /// There was none.
    #[default]
    None,
    /// It is there.
    Present,
    /// It was removed.
    Gone,
    /// Another one is in its place.
    Replaced,
    /// It cannot be read now.
    Unreadable,
    /// Nobody looked.
    Unread,
}

impl LandedFile {
    /// A file that was not looked into.
    pub(crate) const UNREAD: Self = Self { state: FileState::Unread, lines: Vec::new() };
}

/// A line that is about the company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LandedLine {
    /// From 1.
    pub(crate) line: u64,
    /// The page of the answer that it came with, if that is on record.
    pub(crate) page: Option<u64>,
    /// What it says.
    pub(crate) content: LineContent,
}

/// What a line says, and what staging does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineContent {
    /// The last readable record.
    Counts(UsageNumbers),
    /// A later record says the same.
    Repeated(UsageNumbers),
    /// A later record says something else.
    Superseded(UsageNumbers),
    /// No record, for this reason.
    Rejected(RejectionReason),
}

/// The lines about `company_id` in the landed file of a day, read as staging reads them.
pub(crate) async fn find(
    storage: &Storage,
    reading: &Reading,
    (day, company_id): (NaiveDate, &CompanyId),
    fetch: &Fetch,
) -> LandedFile {
    let Some(path) = &fetch.landing_path else { return LandedFile::default() };
    let found = match read(storage, reading, (day, company_id), path).await {
        Ok(Some(found)) => found,
        Ok(None) => return LandedFile { state: FileState::Gone, lines: Vec::new() },
        Err(landing::Error::Changed { .. }) => {
            return LandedFile { state: FileState::Replaced, lines: Vec::new() };
        }
        Err(error) => {
            // The rest of the explanation is right all the same.
            warn!(%day, %error, "a landed file cannot be read to explain a record");
            return LandedFile { state: FileState::Unreadable, lines: Vec::new() };
        }
    };
    let is_loaded = is_loaded(&found.file, fetch.etag.as_deref(), fetch.bytes);
    let page = |line: u64| {
        if is_loaded { page_of(&fetch.page_ends, line, found.records) } else { None }
    };
    LandedFile {
        state: if is_loaded { FileState::Present } else { FileState::Replaced },
        lines: found.lines.into_iter().map(|line| LandedLine { page: page(line.line), ..line }).collect(),
    }
}

struct Found {
    file: FileInfo,
    /// Its lines, whoever they are of.
    records: u64,
    lines: VecDeque<LandedLine>,
}

async fn read(
    storage: &Storage,
    reading: &Reading,
    (day, company_id): (NaiveDate, &CompanyId),
    path: &str,
) -> Result<Option<Found>, landing::Error> {
    let Some(file) = storage.info(path).await? else { return Ok(None) };
    let mut lines = NumberedLines::new(storage.read(&file).await?, MAX_RECORD_BYTES);
    let mut found = Found { file, records: 0, lines: VecDeque::new() };
    while let Some(line) = lines.try_next().await? {
        let number = line.number;
        found.records = number;
        let Ok(text) = line.into_text() else { continue };
        if !may_name(&text, company_id) {
            continue;
        }
        let content = match parse_record(&text, &reading.names, DateWindow::day(day)) {
            Ok(ReadRecord { usage, .. }) if usage.company_id == *company_id => {
                let numbers = UsageNumbers { active_users: usage.active_users, events: usage.events };
                found.supersede(numbers);
                LineContent::Counts(numbers)
            }
            Err(unreadable) if unreadable.concerns == Concerns::Company(company_id.clone()) => {
                LineContent::Rejected(unreadable.reason)
            }
            _ => continue,
        };
        if found.lines.len() == MOST_LINES {
            found.lines.pop_front();
        }
        found.lines.push_back(LandedLine { line: number, page: None, content });
    }
    Ok(Some(found))
}

impl Found {
    /// A later record counts.
    fn supersede(&mut self, by: UsageNumbers) {
        for line in &mut self.lines {
            if let LineContent::Counts(numbers)
            | LineContent::Repeated(numbers)
            | LineContent::Superseded(numbers) = line.content
            {
                line.content = if numbers == by {
                    LineContent::Repeated(numbers)
                } else {
                    LineContent::Superseded(numbers)
                };
            }
        }
    }
}

/// Whether a line may be about the company: parsing every line of 14 large files would take
/// seconds. An identifier in ASCII is spelt out in a line that is plain ASCII without escapes.
fn may_name(line: &str, company_id: &CompanyId) -> bool {
    !line.is_ascii() || line.contains('\\') || line.contains(company_id.as_str())
}

#[cfg(test)]
mod tests {
    use domain::{date_window::parse_day, provenance::Fetch};
    use tempfile::TempDir;

    use super::*;
    use crate::tests::setup::default_reading;

    const DAY: &str = "2026-01-05";
    const PATH: &str = "product_usage/2026-01-05/usage_2026-01-05.json";

    fn record(id: &str, events: i64) -> String {
        format!(r#"{{"company_id":"{id}","date":"{DAY}","active_users":2,"events":{events}}}"#)
    }

    fn numbers(events: i64) -> UsageNumbers {
        UsageNumbers { active_users: 2, events }
    }

    /// What is found of acme in a file of these lines.
    async fn found(lines: &[String], etag: Option<&str>, page_ends: Vec<u64>) -> LandedFile {
        let folder = TempDir::new().unwrap();
        let storage = Storage::open(&format!("file://{}/", folder.path().display())).unwrap();
        let content: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut writer = storage.write(PATH);
        writer.write(content.as_bytes()).await.unwrap();
        writer.finish().await.unwrap();
        let fetch = Fetch {
            run_id: "r".to_owned(),
            fetched_at: chrono::DateTime::UNIX_EPOCH,
            landing_path: Some(PATH.to_owned()),
            bytes: content.len() as u64,
            etag: etag.map(str::to_owned),
            page_ends,
            quarantined: 0,
        };
        let acme = CompanyId::parse("acme").unwrap();
        find(&storage, &default_reading(), (parse_day(DAY).unwrap(), &acme), &fetch).await
    }

    #[tokio::test]
    async fn each_line_of_the_company_is_found_with_its_page_and_what_staging_does_with_it() {
        let torn = r#"{"company_id":"acme","date":"2026-01-05","active_users":"many","events":1}"#.to_owned();
        let escaped = record(r"\u0061cme", 9);
        let lines =
            [record("acme", 7), record("bolt", 1), torn, record("acme", 9), record("Acme", 3), escaped];
        let file = found(&lines, None, vec![2, 4, 6]).await;
        assert_eq!(file.state, FileState::Present);
        let problem = r#""many" is not an integer of at most 64 bits"#.to_owned();
        let reason = RejectionReason::Field { field: "active_users", problem };
        let line = |line, page, content| LandedLine { line, page: Some(page), content };
        assert_eq!(
            file.lines,
            [
                line(1, 1, LineContent::Superseded(numbers(7))),
                line(3, 2, LineContent::Rejected(reason)),
                line(4, 2, LineContent::Repeated(numbers(9))),
                line(6, 3, LineContent::Counts(numbers(9))),
            ]
        );
    }

    #[tokio::test]
    async fn a_file_that_was_landed_again_is_not_taken_for_the_staged_one() {
        let file = found(&[record("acme", 7)], Some("of another"), vec![1]).await;
        assert_eq!((file.state, file.lines[0].page), (FileState::Replaced, None));
    }

    #[tokio::test]
    async fn pages_of_another_answer_are_not_named() {
        let file = found(&[record("acme", 7), record("acme", 8)], None, vec![1, 3]).await;
        assert_eq!(file.state, FileState::Present);
        assert!(file.lines.iter().all(|line| line.page.is_none()), "{file:?}");
    }

    #[tokio::test]
    async fn only_the_last_lines_of_a_company_are_kept() {
        let lines: Vec<String> = (0..100).map(|events| record("acme", events)).collect();
        let file = found(&lines, None, vec![]).await;
        let kept: Vec<u64> = file.lines.iter().map(|line| line.line).collect();
        assert_eq!(kept, (81..=100).collect::<Vec<_>>());
        assert_eq!(file.state, FileState::Present);
    }
}
