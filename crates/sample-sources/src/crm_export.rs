//! CRM exports: one CSV file per day, each with the full state.

use std::io::{self, Write};

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat, Utc};

use crate::{
    company_profile::{CompanyProfile, CrmEntry, TimestampNotation},
    defects::CrmDefect,
    random_stream::RandomStreams,
};

const HEADER: [&str; 5] = ["company_id", "name", "country", "industry_tag", "last_contact_at"];

/// One export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmExportFile {
    /// `companies_YYYY-MM-DD.csv`.
    pub file_name: String,
    /// UTF-8, comma-separated, with a header and `\n` line endings.
    pub csv: Vec<u8>,
}

/// The file name of the export of `day`.
pub(crate) fn file_name(day: NaiveDate) -> String {
    format!("companies_{day}.csv")
}

/// Writes the CRM's state at the end of `day`.
pub(crate) fn write_export(
    companies: &[CompanyProfile],
    streams: RandomStreams,
    day: NaiveDate,
    sink: impl Write,
) -> io::Result<()> {
    // Flexible, because ragged rows are deliberate.
    let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(sink);
    csv.write_record(HEADER)?;
    for company in companies {
        let Some(entry) = company.crm.as_ref().filter(|entry| entry.days.contains(day)) else { continue };
        let last_contact = last_contact(company, entry, day, streams);
        let row = [
            company.company_id.as_str(),
            entry.name_on(day),
            entry.country,
            entry.industry_tag.unwrap_or_default(),
            &last_contact,
        ];
        csv.write_record(row)?;
        if let Some(bad_entry) = entry.bad_entry.filter(|bad_entry| bad_entry.days.contains(day)) {
            write_bad_row(&mut csv, row, bad_entry.defect)?;
        }
    }
    csv.flush()
}

/// A broken second entry for the company of `row`. Its own identifier keeps it from
/// passing for another version of the company.
fn write_bad_row<W: Write>(
    csv: &mut csv::Writer<W>,
    [company_id, name, country, industry_tag, last_contact]: [&str; 5],
    defect: CrmDefect,
) -> csv::Result<()> {
    let copy = format!("{company_id}-copy");
    match defect {
        CrmDefect::EmptyCompanyId => csv.write_record(["", name, country, industry_tag, last_contact]),
        CrmDefect::BadTimestamp => csv.write_record([&copy, name, country, industry_tag, "31.02.2026 soon"]),
        CrmDefect::RaggedRow => csv.write_record(["", name, country]),
    }
}

fn last_contact(
    company: &CompanyProfile,
    entry: &CrmEntry,
    day: NaiveDate,
    streams: RandomStreams,
) -> String {
    let contact = entry
        .contacts
        .and_then(|rhythm| Some((rhythm.last_contact(company.index, day, streams)?, rhythm.notation)));
    contact.map_or_else(String::new, |(at, notation)| write_timestamp(at, notation))
}

fn write_timestamp(at: DateTime<Utc>, notation: TimestampNotation) -> String {
    match notation {
        TimestampNotation::Utc => at.to_rfc3339_opts(SecondsFormat::Secs, true),
        TimestampNotation::WithoutZone => at.format("%Y-%m-%d %H:%M:%S").to_string(),
        TimestampNotation::Offset { hours } => match FixedOffset::east_opt(hours * 3600) {
            Some(offset) => at.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, false),
            None => at.to_rfc3339(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_is_a_timestamp_that_means_the_same_moment() {
        let at = DateTime::from_timestamp(1_770_000_000, 0).unwrap();
        let notations =
            [TimestampNotation::Utc, TimestampNotation::Offset { hours: -5 }, TimestampNotation::WithoutZone];
        let written = notations.map(|notation| write_timestamp(at, notation));
        assert_eq!(written, ["2026-02-02T02:40:00Z", "2026-02-01T21:40:00-05:00", "2026-02-02 02:40:00"]);
        for text in written {
            assert_eq!(domain::timestamp::parse_timestamp(&text), Ok(at));
        }
    }
}
