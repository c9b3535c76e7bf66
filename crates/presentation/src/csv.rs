//! Rows of the fact, and companies at risk, as CSV.

use std::io::Write;

use domain::fact::COLUMNS;
use proto::activity::v1::{ChurnRisk, CompanyActivity};

use crate::fact::columns;

/// Writes rows as CSV with a header: the fact's columns in order, NULL as an
/// empty field, times in RFC 3339 and UTC.
pub struct CsvRows<W: Write> {
    writer: ::csv::Writer<W>,
}

impl<W: Write> CsvRows<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(writer: W) -> Result<Self, ::csv::Error> {
        let mut writer = ::csv::Writer::from_writer(writer);
        writer.write_record(COLUMNS)?;
        Ok(Self { writer })
    }

    /// Writes one row.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, row: &CompanyActivity) -> Result<(), ::csv::Error> {
        self.writer.write_record(columns(row).map(|(_, value)| value.to_string()))
    }

    /// Writes out what is still buffered.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<(), ::csv::Error> {
        Ok(self.writer.flush()?)
    }
}

/// Writes companies at risk as CSV with a header: the columns of [`CsvRows`], then the day of
/// the last event, empty if there is none.
pub struct CsvChurnRisks<W: Write> {
    writer: ::csv::Writer<W>,
}

impl<W: Write> CsvChurnRisks<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(writer: W) -> Result<Self, ::csv::Error> {
        let mut writer = ::csv::Writer::from_writer(writer);
        writer.write_record(COLUMNS.iter().copied().chain(["last_event_date"]))?;
        Ok(Self { writer })
    }

    /// Goes on below a header that is written already.
    pub fn below_header(writer: W) -> Self {
        Self { writer: ::csv::Writer::from_writer(writer) }
    }

    /// Writes one company. One without a row, which no server sends, is left out.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, risk: &ChurnRisk) -> Result<(), ::csv::Error> {
        let Some(row) = &risk.activity else { return Ok(()) };
        let values = columns(row).map(|(_, value)| value.to_string());
        self.writer.write_record(values.iter().chain([&risk.last_event_date]))
    }

    /// Writes out what is still buffered.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<(), ::csv::Error> {
        Ok(self.writer.flush()?)
    }
}

impl<W: Write> std::fmt::Debug for CsvChurnRisks<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvChurnRisks").finish_non_exhaustive()
    }
}

impl<W: Write> std::fmt::Debug for CsvRows<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvRows").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn risk(company_id: &str, last_event_date: &str) -> ChurnRisk {
        let row = CompanyActivity {
            company_id: company_id.into(),
            activity_date: "2026-02-12".into(),
            company_name: Some("A \"quoted\", name".into()),
            is_churn_risk: true,
            ..CompanyActivity::default()
        };
        ChurnRisk { activity: Some(row), last_event_date: last_event_date.into() }
    }

    #[test]
    fn a_company_at_risk_has_its_row_and_the_day_of_its_last_event() {
        let mut written = Vec::new();
        let mut csv = CsvChurnRisks::new(&mut written).unwrap();
        csv.write(&risk("acme", "2026-01-20")).unwrap();
        csv.write(&ChurnRisk::default()).unwrap();
        csv.write(&risk("initech", "")).unwrap();
        csv.flush().unwrap();
        drop(csv);
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "company_id,activity_date,company_name,country,industry_tag,last_contact_at,active_users,events,\
             7d_active_users,is_churn_risk,events_per_user,days_since_last_contact,loaded_at,last_event_date\n\
             acme,2026-02-12,\"A \"\"quoted\"\", name\",,,,0,0,0,true,,,,2026-01-20\n\
             initech,2026-02-12,\"A \"\"quoted\"\", name\",,,,0,0,0,true,,,,\n"
        );
    }

    #[test]
    fn a_list_written_in_pieces_is_the_list_written_at_once() {
        let risks = [risk("acme", "2026-01-20"), risk("initech", "")];
        let mut whole = Vec::new();
        let mut csv = CsvChurnRisks::new(&mut whole).unwrap();
        for risk in &risks {
            csv.write(risk).unwrap();
        }
        csv.flush().unwrap();
        drop(csv);
        let mut pieces = Vec::new();
        CsvChurnRisks::new(&mut pieces).unwrap().flush().unwrap();
        for risk in &risks {
            let mut csv = CsvChurnRisks::below_header(&mut pieces);
            csv.write(risk).unwrap();
            csv.flush().unwrap();
        }
        assert_eq!(pieces, whole);
    }
}
