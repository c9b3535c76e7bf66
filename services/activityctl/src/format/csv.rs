//! Rows of the fact as CSV.

use std::io::Write;

use domain::fact::COLUMNS;
use proto::activity::v1::CompanyActivity;

use crate::{error::Error, format::value::rfc3339};

/// Writes rows as CSV with a header: the fact's 13 columns in order, NULL as an
/// empty field, times in RFC 3339 and UTC.
pub struct CsvRows<W: Write> {
    writer: ::csv::Writer<W>,
}

impl<W: Write> CsvRows<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(writer: W) -> Result<Self, Error> {
        let mut writer = ::csv::Writer::from_writer(writer);
        writer.write_record(COLUMNS)?;
        Ok(Self { writer })
    }

    /// Writes one row.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, row: &CompanyActivity) -> Result<(), Error> {
        Ok(self.writer.write_record(fields(row))?)
    }

    /// Writes out what is still buffered.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        Ok(self.writer.flush()?)
    }
}

impl<W: Write> std::fmt::Debug for CsvRows<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvRows").finish_non_exhaustive()
    }
}

/// The columns as text; empty for NULL.
pub(crate) fn fields(row: &CompanyActivity) -> [String; COLUMNS.len()] {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    [
        row.company_id.clone(),
        row.activity_date.clone(),
        text(&row.company_name),
        text(&row.country),
        text(&row.industry_tag),
        rfc3339(row.last_contact_at.as_ref()).unwrap_or_default(),
        row.active_users.to_string(),
        row.events.to_string(),
        row.active_users_7d.to_string(),
        row.is_churn_risk.to_string(),
        row.events_per_user.map(|ratio| ratio.to_string()).unwrap_or_default(),
        row.days_since_last_contact.map(|days| days.to_string()).unwrap_or_default(),
        rfc3339(row.loaded_at.as_ref()).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    fn csv(rows: &[CompanyActivity]) -> String {
        let mut bytes = Vec::new();
        let mut csv = CsvRows::new(&mut bytes).unwrap();
        for row in rows {
            csv.write(row).unwrap();
        }
        csv.flush().unwrap();
        drop(csv);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_row_has_the_facts_columns_in_their_order() {
        let row = CompanyActivity {
            company_id: "007".into(),
            activity_date: "2026-01-01".into(),
            company_name: Some("Acme, \"Inc\"\nBerlin".into()),
            country: Some("DE".into()),
            industry_tag: Some("saas".into()),
            last_contact_at: Some(Timestamp { seconds: 1_766_223_000, nanos: 0 }),
            active_users: 4,
            events: 10,
            active_users_7d: 9,
            is_churn_risk: false,
            events_per_user: Some(2.5),
            days_since_last_contact: Some(-3),
            loaded_at: Some(Timestamp { seconds: 1_767_312_000, nanos: 250_000_000 }),
        };
        assert_eq!(
            csv(&[row]),
            "company_id,activity_date,company_name,country,industry_tag,last_contact_at,active_users,events,\
             7d_active_users,is_churn_risk,events_per_user,days_since_last_contact,loaded_at\n\
             007,2026-01-01,\"Acme, \"\"Inc\"\"\nBerlin\",DE,saas,2025-12-20T09:30:00Z,4,10,9,false,2.5,-3,\
             2026-01-02T00:00:00.250Z\n"
        );
    }

    #[test]
    fn null_is_an_empty_field() {
        let row = CompanyActivity {
            company_id: "ghost".into(),
            activity_date: "2026-01-01".into(),
            is_churn_risk: true,
            ..CompanyActivity::default()
        };
        assert_eq!(csv(&[row]).lines().last(), Some("ghost,2026-01-01,,,,,0,0,0,true,,,"));
    }
}
