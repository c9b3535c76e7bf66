//! Parses companies from the bytes of a CRM export.

use std::collections::VecDeque;

use domain::{CrmCompany, SourceRow};

use crate::{
    company_columns::CompanyColumns,
    csv_format::CsvFormat,
    csv_records::{Record, RecordReader},
    encoding::Found,
    invalid_file::InvalidFile,
};

/// How many records at the end may be a footer.
const MAX_FOOTERS: usize = 20;

/// Parses companies from the bytes of an export.
pub(crate) struct CompanyParser {
    format: CsvFormat,
    reader: RecordReader,
    /// Known once the header has been read.
    columns: Option<CompanyColumns>,
    /// Records that may be a footer; the end of the file decides.
    held: VecDeque<Record>,
    /// A record with too few or too many fields; the next record decides what it is.
    odd: Option<Record>,
    /// The usual number of fields per record, if more than the header; set once a record shows it.
    usual_fields: Option<usize>,
    /// The last line of the previous record.
    last_line: u64,
}

impl CompanyParser {
    pub(crate) fn new(format: &CsvFormat) -> Self {
        Self {
            reader: RecordReader::new(format.records),
            format: format.clone(),
            columns: None,
            held: VecDeque::new(),
            odd: None,
            usual_fields: None,
            last_line: 0,
        }
    }

    /// Takes the next bytes and returns the rows they complete.
    ///
    /// # Errors
    /// If the file must be refused.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<SourceRow<CrmCompany>>, InvalidFile> {
        self.reader.push(chunk);
        self.take_rows()
    }

    /// Ends the file and returns its last rows.
    ///
    /// # Errors
    /// If the file must be refused.
    pub(crate) fn finish(&mut self) -> Result<Vec<SourceRow<CrmCompany>>, InvalidFile> {
        self.reader.finish();
        let mut rows = self.take_rows()?;
        let encoding = self.reader.encoding();
        if let (Some(columns), Some(odd)) = (&self.columns, self.odd.take()) {
            let usual_fields = self.usual_fields.unwrap_or(odd.fields.len());
            rows.push(columns.row(&odd, encoding, usual_fields));
        }
        rows.extend(self.held.drain(..).map(|record| CompanyColumns::footer(&record)));
        Ok(rows)
    }

    /// The positions of the columns, once the header has been read.
    pub(crate) const fn columns(&self) -> Option<&CompanyColumns> {
        self.columns.as_ref()
    }

    /// The file's encoding, as detected so far.
    pub(crate) const fn encoding(&self) -> Found {
        self.reader.encoding()
    }

    /// The field delimiter, once known.
    pub(crate) const fn delimiter(&self) -> Option<u8> {
        self.reader.delimiter()
    }

    /// Notes for people on how the file was read.
    pub(crate) fn notes(&self) -> Vec<String> {
        let encoding = (self.encoding() == Found::Windows1252).then(|| {
            "it is no UTF-8 and plainly Windows-1252, so it is read as that; --crm-encoding names another"
                .to_owned()
        });
        let missing = self
            .columns
            .iter()
            .flat_map(CompanyColumns::missing)
            .map(|column| format!("there is no column {column}; what it would say stays unknown"));
        encoding.into_iter().chain(missing).collect()
    }

    fn take_rows(&mut self) -> Result<Vec<SourceRow<CrmCompany>>, InvalidFile> {
        let names = &self.format.columns;
        let columns = match &mut self.columns {
            Some(columns) => columns,
            none => match self.reader.header(|headings| names.rate(headings))? {
                Some(header) => {
                    self.last_line = header.last_line;
                    none.insert(CompanyColumns::of(&header, &self.format)?)
                }
                None => return Ok(Vec::new()),
            },
        };
        let mut rows = Vec::new();
        while let Some(record) = self.reader.next(|fields| columns.are_plausible(fields)) {
            let encoding = self.reader.encoding();
            let follows_blank_line = record.line > self.last_line + 1 || !self.held.is_empty();
            self.last_line = record.last_line;
            if let Some(odd) = self.odd.take() {
                if columns.are_torn_apart(&odd, &record) {
                    rows.extend(columns.torn_rows(&odd, &record));
                    continue;
                }
                self.usual_fields = self.usual_fields.or(columns.usual_fields(&record));
                let usual_fields = self.usual_fields.unwrap_or(odd.fields.len());
                rows.push(columns.row(&odd, encoding, usual_fields));
            }
            let usual_fields = self.usual_fields.unwrap_or_default();
            let row = |record: &Record| columns.row(record, encoding, usual_fields);
            if columns.may_be_footer(&record, follows_blank_line) {
                self.held.push_back(record);
                // A longer list is not a footer.
                if self.held.len() > MAX_FOOTERS {
                    rows.extend(self.held.pop_front().map(|record| row(&record)));
                }
                continue;
            }
            rows.extend(self.held.drain(..).map(|record| row(&record)));
            let is_first_surplus = self.usual_fields.is_none() && columns.has_empty_surplus(&record);
            if columns.is_short(&record) || is_first_surplus {
                self.odd = Some(record);
            } else {
                self.usual_fields = self.usual_fields.or(columns.usual_fields(&record));
                rows.push(row(&record));
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests;
