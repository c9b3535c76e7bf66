//! Converts CSV records to companies.

use domain::{
    CompanyAttributes, CompanyId, Concerns, CrmCompany, Rejection, RejectionReason, SourceRow,
    UnreadableFields, company::MAX_COMPANY_TEXT_BYTES, text::settled, timestamp::parse_timestamp,
};

use crate::{
    column_names::{Column, Place, canonical},
    csv_format::CsvFormat,
    csv_records::{Field, Record},
    encoding::Found,
    footer,
    invalid_file::InvalidFile,
    missing_column::missing_column,
};

/// How much of a bad value to show, in characters.
const SHOWN_CHARS: usize = 64;

/// The positions of a company's columns in a file. Other columns are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompanyColumns {
    headings: Vec<String>,
    company_id: usize,
    name: Option<usize>,
    country: Option<usize>,
    industry_tag: Option<usize>,
    last_contact_at: Option<usize>,
    /// The values that mean no value.
    nulls: Vec<String>,
}

impl CompanyColumns {
    /// Reads a header, whatever its order, case and spacing.
    ///
    /// # Errors
    /// If a required column is missing, or a wanted one occurs twice.
    pub(crate) fn of(header: &Record, format: &CsvFormat) -> Result<Self, InvalidFile> {
        let names = &format.columns;
        let headings: Vec<String> =
            header.fields.iter().map(|field| settled(&field.text).into_owned()).collect();
        let line = header.line;
        let place = |column: Column| match names.place(column, &headings) {
            Place::At(at) => Ok(Some(at)),
            Place::Absent if column != Column::CompanyId => Ok(None),
            Place::Absent | Place::Missing => Err(missing_column(line, column, names, &headings)),
            Place::Twice(first, second) => Err(InvalidFile::DuplicateColumn {
                line,
                name: column.name(),
                first: first + 1,
                second: second + 1,
            }),
        };
        Ok(Self {
            company_id: place(Column::CompanyId)?.unwrap_or_default(),
            name: place(Column::Name)?,
            country: place(Column::Country)?,
            industry_tag: place(Column::IndustryTag)?,
            last_contact_at: place(Column::LastContactAt)?,
            headings,
            nulls: format.nulls.clone(),
        })
    }

    /// The position of a column, from 0.
    pub(crate) const fn place(&self, column: Column) -> Option<usize> {
        match column {
            Column::CompanyId => Some(self.company_id),
            Column::Name => self.name,
            Column::Country => self.country,
            Column::IndustryTag => self.industry_tag,
            Column::LastContactAt => self.last_contact_at,
        }
    }

    /// The headings as in the file.
    pub(crate) fn headings(&self) -> &[String] {
        &self.headings
    }

    /// The columns that the file lacks.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &'static str> {
        Column::ALL.into_iter().filter(|column| self.place(*column).is_none()).map(Column::name)
    }

    /// Whether fields look like a company's, as opposed to the inside of a broken record.
    pub(crate) fn are_plausible(&self, fields: &[Field]) -> bool {
        fields.get(self.company_id).is_some_and(|id| {
            id.is_readable
                && !id.text.contains('"')
                && !id.text.starts_with(' ')
                && CompanyId::parse(&id.text).is_ok()
        })
    }

    /// Whether a record may be a footer. Such records count as companies if more rows follow.
    pub(crate) fn may_be_footer(&self, record: &Record, follows_blank_line: bool) -> bool {
        let cells = cells(record);
        let mut filled = cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
        let (Some((at, only)), None) = (filled.next(), filled.next()) else { return false };
        let is_short = record.fields.len() < self.headings.len();
        let has_id = record.fields.get(self.company_id).is_some_and(|id| CompanyId::parse(&id.text).is_ok());
        // A name alone is a company that lost its identifier.
        let says_nothing = !has_id && Some(at) != self.name;
        record.fault.is_none()
            && (says_nothing || footer::is_closing(only) || (is_short && follows_blank_line))
    }

    /// The row for a record that turned out to be a footer.
    pub(crate) fn footer<T>(record: &Record) -> SourceRow<T> {
        nobodys(record, "is what the file writes below its rows, and no company")
    }

    /// Whether a record has empty fields beyond those of the header. That is
    /// harmless if all records end so; otherwise an earlier value contains a
    /// delimiter, and everything after it is in the wrong column.
    pub(crate) fn has_empty_surplus(&self, record: &Record) -> bool {
        let columns = self.headings.len();
        record.fault.is_none()
            && record.fields.len() > columns
            && record.fields.iter().skip(columns).all(Field::is_empty)
    }

    /// The usual number of fields in the file's records, if this one shows it.
    pub(crate) fn usual_fields(&self, record: &Record) -> Option<usize> {
        let fields = record.fields.len();
        let shows = record.fault.is_none() && fields == self.headings.len() || self.has_empty_surplus(record);
        shows.then_some(fields)
    }

    /// The company of a record, or why it is not one, or which parts of it are
    /// unusable. `usual_fields` is the usual number of fields in the file's
    /// records if they have more than the header.
    pub(crate) fn row(&self, record: &Record, encoding: Found, usual_fields: usize) -> SourceRow<CrmCompany> {
        if let Some(fault) = record.fault {
            return self.unreadable(record, RejectionReason::Malformed(fault.to_string()));
        }
        let cells = cells(record);
        if self.repeats_header(&cells) {
            return nobodys(record, "repeats the header");
        }
        if footer::is_summary(&cells) {
            return nobodys(record, "is a sum, a count or a rule, and no company");
        }
        let (fields, columns) = (record.fields.len(), self.headings.len());
        if fields > columns && !(fields == usual_fields && self.has_empty_surplus(record)) {
            let problem =
                format!("has {fields} fields, the header has {columns}: quote values with a delimiter");
            return self.unreadable(record, RejectionReason::Malformed(problem));
        }
        if let Some(column) = self.shifted_date(record) {
            let problem = format!(
                "has {fields} fields, the header has {columns}, and a date where {} is",
                column.name()
            );
            return SourceRow::Rejected(Rejection::new(
                record.line,
                RejectionReason::Malformed(problem),
                &record.raw,
            ));
        }
        match self.company_id(record, encoding) {
            Ok(id) => self.company(id, record, encoding),
            Err(reason) => SourceRow::Rejected(Rejection::new(record.line, reason, &record.raw)),
        }
    }

    fn company_id(&self, record: &Record, encoding: Found) -> Result<CompanyId, RejectionReason> {
        let Some(field) = record.fields.get(self.company_id) else {
            let (fields, column) = (record.fields.len(), self.company_id + 1);
            let problem = format!("has {fields} fields, and company_id is column {column}");
            return Err(RejectionReason::Malformed(problem));
        };
        if !field.is_readable {
            return Err(RejectionReason::Field { field: "company_id", problem: field.problem(encoding) });
        }
        CompanyId::parse(&field.text).map_err(RejectionReason::CompanyId)
    }

    /// The company's fields, each on its own: an unreadable field says nothing
    /// about the others. Missing fields at the end are empty.
    fn company(&self, company_id: CompanyId, record: &Record, encoding: Found) -> SourceRow<CrmCompany> {
        let mut problems = Vec::new();
        let mut read = |column: Column| match self.text(column, record, encoding) {
            Ok(text) => text,
            Err(problem) => {
                problems.push((column, problem));
                None
            }
        };
        let name = read(Column::Name);
        let country = read(Column::Country);
        let industry_tag = read(Column::IndustryTag);
        let last_contact_at = read(Column::LastContactAt).and_then(|text| match parse_timestamp(&text) {
            Ok(instant) => Some(instant),
            Err(problem) => {
                problems.push((Column::LastContactAt, format!("{:?} {problem}", shown(&text))));
                None
            }
        });
        let is_unreadable = |column| problems.iter().any(|(unreadable, _)| *unreadable == column);
        let row = CrmCompany {
            attributes: CompanyAttributes { name, country, industry_tag, last_contact_at },
            unreadable: UnreadableFields {
                name: is_unreadable(Column::Name),
                country: is_unreadable(Column::Country),
                industry_tag: is_unreadable(Column::IndustryTag),
                last_contact_at: is_unreadable(Column::LastContactAt),
            },
            company_id,
        };
        match reason(problems) {
            None => SourceRow::Accepted { line: record.line, row },
            Some(reason) => partial(record, row, reason),
        }
    }

    /// The text of a field, if any.
    fn text(&self, column: Column, record: &Record, encoding: Found) -> Result<Option<String>, String> {
        let Some(field) = self.place(column).and_then(|at| record.fields.get(at)) else { return Ok(None) };
        if !field.is_readable {
            return Err(field.problem(encoding));
        }
        let text = settled(&field.text);
        if text.len() > MAX_COMPANY_TEXT_BYTES {
            return Err(format!("is longer than {MAX_COMPANY_TEXT_BYTES} bytes"));
        }
        let is_null = text.is_empty() || self.nulls.iter().any(|null| *null == text);
        Ok((!is_null).then(|| text.into_owned()))
    }

    /// A record in which nothing can be trusted, except its identifier if that
    /// was complete before the fault.
    fn unreadable(&self, record: &Record, reason: RejectionReason) -> SourceRow<CrmCompany> {
        // The position of a surplus delimiter is unknown, so only the first field is safe.
        let is_before_fault = record.fault.is_some() || self.company_id == 0;
        let id = record.fields.get(self.company_id).filter(|id| is_before_fault && id.is_readable);
        match id.and_then(|id| CompanyId::parse(&id.text).ok()) {
            None => SourceRow::Rejected(Rejection::new(record.line, reason, &record.raw)),
            Some(company_id) => self.unknown_but(company_id, record, reason),
        }
    }

    /// A company with nothing else readable.
    fn unknown_but(
        &self,
        company_id: CompanyId,
        record: &Record,
        reason: RejectionReason,
    ) -> SourceRow<CrmCompany> {
        let unreadable = UnreadableFields {
            name: self.name.is_some(),
            country: self.country.is_some(),
            industry_tag: self.industry_tag.is_some(),
            last_contact_at: self.last_contact_at.is_some(),
        };
        let row = CrmCompany { company_id, attributes: CompanyAttributes::default(), unreadable };
        partial(record, row, reason)
    }

    /// Whether a record lacks fields at its end.
    pub(crate) fn is_short(&self, record: &Record) -> bool {
        record.fault.is_none() && record.fields.len() < self.headings.len()
    }

    /// The column in whose place a short record has its date: then an earlier
    /// field is missing, not the last.
    fn shifted_date(&self, record: &Record) -> Option<Column> {
        let contact = self.last_contact_at?;
        if !self.is_short(record) || record.fields.len() > contact {
            return None;
        }
        [Column::Name, Column::Country, Column::IndustryTag].into_iter().find(|column| {
            let field = self.place(*column).and_then(|at| record.fields.get(at));
            field.is_some_and(|field| parse_timestamp(&field.text).is_ok())
        })
    }

    /// Whether an unquoted line break splits one row into two lines. That they
    /// add up to a row does not prove it: rows may lack their last cells. A
    /// date in the position of a name does, if it is in the right position in
    /// the joined row.
    pub(crate) fn are_torn_apart(&self, first: &Record, second: &Record) -> bool {
        let follows = second.fault.is_none() && second.line == first.last_line + 1;
        let makes_one = first.fields.len() + second.fields.len() == self.headings.len() + 1;
        let Some(contact) = self.last_contact_at.filter(|_| follows && makes_one) else { return false };
        let is_timestamp =
            |field: Option<&Field>| field.is_some_and(|field| parse_timestamp(&field.text).is_ok());
        let in_both = (contact + 1).checked_sub(first.fields.len()).filter(|at| *at > 0);
        is_timestamp(in_both.and_then(|at| second.fields.get(at)))
            && !is_timestamp(second.fields.get(contact))
    }

    /// The rows for two such lines.
    pub(crate) fn torn_rows(&self, first: &Record, second: &Record) -> [SourceRow<CrmCompany>; 2] {
        let problem = format!("goes on in line {}: put values with a line break in quotes", second.line);
        // The split field is the last of the first line.
        let sound = first.fields.len().saturating_sub(1);
        let id = first.fields.get(self.company_id).filter(|id| self.company_id < sound && id.is_readable);
        let concerns =
            id.and_then(|id| CompanyId::parse(&id.text).ok()).map_or(Concerns::Anyone, Concerns::Company);
        let torn = match &concerns {
            Concerns::Company(id) => self.unknown_but(id.clone(), first, RejectionReason::Malformed(problem)),
            Concerns::Anyone | Concerns::NoOne => SourceRow::Rejected(Rejection::new(
                first.line,
                RejectionReason::Malformed(problem),
                &first.raw,
            )),
        };
        let rest = RejectionReason::Malformed(format!("is the rest of line {}", first.line));
        let rest = Rejection::new(second.line, rest, &second.raw).concerning(concerns);
        [torn, SourceRow::Rejected(rest)]
    }

    fn repeats_header(&self, cells: &[&str]) -> bool {
        let is_heading = |at: usize| {
            cells
                .get(at)
                .zip(self.headings.get(at))
                .is_some_and(|(cell, heading)| canonical(cell) == canonical(heading))
        };
        let read = Column::ALL.into_iter().filter_map(|column| self.place(column));
        cells.len() == self.headings.len() && read.into_iter().all(is_heading)
    }
}

/// The visible text in the fields of a record.
fn cells(record: &Record) -> Vec<&str> {
    record.fields.iter().map(|field| if field.is_empty() { "" } else { field.text.trim() }).collect()
}

fn nobodys<T>(record: &Record, problem: &str) -> SourceRow<T> {
    let reason = RejectionReason::Malformed(problem.to_owned());
    SourceRow::Rejected(Rejection::new(record.line, reason, &record.raw).concerning(Concerns::NoOne))
}

fn partial(record: &Record, row: CrmCompany, reason: RejectionReason) -> SourceRow<CrmCompany> {
    let concerns = Concerns::Company(row.company_id.clone());
    SourceRow::Partial {
        row,
        rejection: Rejection::new(record.line, reason, &record.raw).concerning(concerns),
    }
}

/// A single reason that names every field.
fn reason(mut problems: Vec<(Column, String)>) -> Option<RejectionReason> {
    if problems.len() < 2 {
        return problems
            .pop()
            .map(|(column, problem)| RejectionReason::Field { field: column.name(), problem });
    }
    let all: Vec<String> =
        problems.iter().map(|(column, problem)| format!("{}: {problem}", column.name())).collect();
    Some(RejectionReason::Malformed(all.join("; ")))
}

/// A text shortened for display.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
