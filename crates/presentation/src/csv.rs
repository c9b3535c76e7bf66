//! Rows of the fact as CSV.

use std::io::Write;

use domain::fact::COLUMNS;
use proto::activity::v1::CompanyActivity;

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

impl<W: Write> std::fmt::Debug for CsvRows<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvRows").finish_non_exhaustive()
    }
}
