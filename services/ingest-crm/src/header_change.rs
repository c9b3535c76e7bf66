//! Compares an export's header with that of the previous export.
//!
//! A column that disappeared most likely has another heading now. Reading the
//! file without it would empty the field of every company.

use futures::TryStreamExt;
use landing::FileInfo;
use tracing::warn;

use crate::{
    archive::Archive,
    column_names::{Column, ColumnNames, canonical},
    company_columns::CompanyColumns,
    company_parser::CompanyParser,
    csv_format::CsvFormat,
    missing_column::lost_column,
};

/// How long a header may be, in bytes.
const MAX_HEADER_BYTES: usize = 1024 * 1024;

/// How many new columns to name.
const NAMED_HEADINGS: usize = 10;

/// The columns of a copy. `None` if the copy or its header cannot be read: loading it reports that.
pub(crate) async fn columns_of(
    archive: &Archive,
    copy: &FileInfo,
    format: &CsvFormat,
) -> Result<Option<CompanyColumns>, landing::Error> {
    let mut chunks = archive.read(copy).await?;
    let (mut parser, mut read) = (CompanyParser::new(format), 0);
    while let Some(chunk) = chunks.try_next().await? {
        let is_readable = parser.push(&chunk).is_ok();
        // A large chunk holds more than the header, so the columns come before the limit.
        if let Some(columns) = parser.columns() {
            return Ok(Some(columns.clone()));
        }
        read += chunk.len();
        if !is_readable || read > MAX_HEADER_BYTES {
            return Ok(None);
        }
    }
    // The header may be the only line of the file.
    let ends_well = parser.finish().is_ok();
    Ok(parser.columns().filter(|_| ends_well).cloned())
}

/// The same for a copy from an earlier run, which may have been moved.
pub(crate) async fn columns_of_earlier(
    archive: &Archive,
    path: &str,
    format: &CsvFormat,
) -> Option<CompanyColumns> {
    let read = async {
        match archive.find(path).await? {
            Some(copy) => columns_of(archive, &copy, format).await,
            None => Ok(None),
        }
    };
    read.await.unwrap_or_else(|error| {
        warn!(%error, "cannot compare an export's header with that of the export before");
        None
    })
}

/// Why an export is refused if it lacks a column that the previous one had.
pub(crate) fn lost(before: &CompanyColumns, now: &CompanyColumns, names: &ColumnNames) -> Option<String> {
    let column = Column::ALL.into_iter().find(|column| {
        before.place(*column).is_some() && now.place(*column).is_none() && !names.is_given_up(*column)
    })?;
    let heading = before.place(column).and_then(|at| before.headings().get(at));
    Some(lost_column(column, heading.map_or(column.name(), String::as_str), names, now.headings()))
}

/// The columns that nobody reads and that the previous export did not have.
pub(crate) fn new_columns(before: &CompanyColumns, now: &CompanyColumns) -> Option<String> {
    let known: Vec<String> = before.headings().iter().map(|heading| canonical(heading)).collect();
    let is_read = |at: usize| Column::ALL.into_iter().any(|column| now.place(column) == Some(at));
    let new: Vec<&str> = now
        .headings()
        .iter()
        .enumerate()
        .filter(|(at, heading)| !is_read(*at) && !heading.is_empty() && !known.contains(&canonical(heading)))
        .map(|(_, heading)| heading.as_str())
        .collect();
    let shown = new.iter().take(NAMED_HEADINGS).map(|heading| format!("{heading:?}"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match new.len() {
        0 => None,
        1..=NAMED_HEADINGS => Some(shown),
        more => Some(format!("{shown} and {} more", more - NAMED_HEADINGS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column_names::{ColumnsOption, Preset};

    fn names(mapping: &str) -> ColumnNames {
        ColumnNames::new(mapping.parse::<ColumnsOption>().unwrap(), Preset::None)
    }

    fn columns(header: &str, names: &ColumnNames) -> CompanyColumns {
        let mut parser = CompanyParser::new(&CsvFormat { columns: names.clone(), ..CsvFormat::default() });
        parser.push(header.as_bytes()).unwrap();
        parser.push(b"\n").unwrap();
        parser.finish().unwrap();
        parser.columns().unwrap().clone()
    }

    fn lost_of(before: &str, now: &str, mapping: &str) -> Option<String> {
        let names = names(mapping);
        lost(&columns(before, &names), &columns(now, &names), &names)
    }

    #[test]
    fn a_column_that_is_gone_is_reported_with_both_ways_out() {
        let problem = lost_of("company_id,name,Country", "company_id,name,Country code", "").unwrap();
        assert!(
            problem.contains("the column \"Country\", the country of the export before, is gone"),
            "{problem}"
        );
        assert!(problem.contains("--crm-columns country=\"Country code\""), "{problem}");
        assert!(problem.contains("--crm-columns country=\"\""), "{problem}");
    }

    #[test]
    fn a_column_may_go_that_was_given_up_or_never_there_or_never_read() {
        let before = "company_id,name,country,score";
        for (now, mapping) in [
            ("company_id,name,country", ""),
            ("COMPANY_ID;Company Name;Country;score", ""),
            ("company_id,name", "country=\"\""),
            ("company_id,name,country,industry_tag", ""),
        ] {
            assert_eq!(lost_of(before, now, mapping), None, "{now}");
        }
    }

    #[test]
    fn new_columns_are_named_unless_they_are_read() {
        let names = names("");
        let before = columns("company_id,Score", &names);
        let new = |header: &str| new_columns(&before, &columns(header, &names));
        assert_eq!(new("company_id,score,country"), None);
        assert_eq!(new("company_id,score,Owner,\"Last deal\",").as_deref(), Some("\"Owner\", \"Last deal\""));
        let many = (0..12).fold("company_id".to_owned(), |header, at| format!("{header},c{at}"));
        assert!(new(&many).unwrap().ends_with("\"c9\" and 2 more"));
    }
}
