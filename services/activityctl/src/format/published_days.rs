//! Published days for programs.

use std::io::Write;

use proto::activity::v1::PublishedDay;
use serde::Serialize;

use crate::{error::Error, format::value::rfc3339};

/// A published day: who published it, and its totals, which are null where they are not known.
#[derive(Debug, Serialize)]
pub struct PublishedDayRecord<'a> {
    activity_date: &'a str,
    run_id: &'a str,
    publish_time: Option<String>,
    row_count: i64,
    checksum: Option<&'a str>,
    active_users: Option<i64>,
    events: Option<i64>,
    churn_risks: Option<i64>,
    active_companies: Option<i64>,
}

impl<'a> From<&'a PublishedDay> for PublishedDayRecord<'a> {
    fn from(day: &'a PublishedDay) -> Self {
        let publication = day.publication.as_ref();
        let totals = day.totals;
        Self {
            activity_date: publication.map(|entry| entry.activity_date.as_str()).unwrap_or_default(),
            run_id: publication.map(|entry| entry.run_id.as_str()).unwrap_or_default(),
            publish_time: publication.and_then(|entry| rfc3339(entry.publish_time.as_ref())),
            row_count: publication.map_or(0, |entry| entry.row_count),
            checksum: Some(day.checksum.as_str()).filter(|checksum| !checksum.is_empty()),
            active_users: totals.map(|totals| totals.active_users),
            events: totals.map(|totals| totals.events),
            churn_risks: totals.map(|totals| totals.churn_risks),
            active_companies: totals.map(|totals| totals.active_companies),
        }
    }
}

/// Writes days as CSV with a header; what is not known is an empty field.
///
/// # Errors
/// If they cannot be written.
pub fn write_csv(writer: impl Write, days: &[PublishedDay]) -> Result<(), Error> {
    let mut csv = ::csv::WriterBuilder::new().has_headers(false).from_writer(writer);
    // Also without a day there is a header.
    csv.write_record([
        "activity_date",
        "run_id",
        "publish_time",
        "row_count",
        "checksum",
        "active_users",
        "events",
        "churn_risks",
        "active_companies",
    ])?;
    for day in days {
        csv.serialize(PublishedDayRecord::from(day))?;
    }
    Ok(csv.flush()?)
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;
    use proto::activity::v1::{DayTotals, Publication};

    use super::*;

    #[test]
    fn what_is_not_known_is_empty() {
        let publication = Publication {
            activity_date: "2026-02-12".to_owned(),
            run_id: "run".to_owned(),
            publish_time: Some(Timestamp { seconds: 1_770_962_400, nanos: 0 }),
            row_count: 3,
        };
        let summed = PublishedDay {
            publication: Some(publication.clone()),
            checksum: "00000000000000ff".to_owned(),
            totals: Some(DayTotals { active_users: 1, events: 2, churn_risks: 3, active_companies: 4 }),
        };
        let unknown = PublishedDay { publication: Some(publication), checksum: String::new(), totals: None };
        let mut written = Vec::new();
        write_csv(&mut written, &[summed.clone(), unknown]).unwrap();
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "activity_date,run_id,publish_time,row_count,checksum,active_users,events,churn_risks,active_companies\n\
             2026-02-12,run,2026-02-13T06:00:00Z,3,00000000000000ff,1,2,3,4\n\
             2026-02-12,run,2026-02-13T06:00:00Z,3,,,,,\n"
        );
        let json = serde_json::to_string(&PublishedDayRecord::from(&summed)).unwrap();
        assert!(json.contains(r#""checksum":"00000000000000ff","active_users":1"#), "{json}");
    }
}
