//! From CSV records to companies.

use domain::{
    CompanyId, CrmCompany, Rejection, RejectionReason, SourceRow, UnreadableFields,
    timestamp::parse_timestamp,
};

use crate::{csv_records::Record, invalid_file::InvalidFile};

/// How much of a bad value is shown to people, in characters.
const SHOWN_CHARS: usize = 64;

/// Where a file's header puts what we want of a company. Other columns are
/// ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompanyColumns {
    count: usize,
    company_id: usize,
    name: Option<usize>,
    country: Option<usize>,
    industry_tag: Option<usize>,
    last_contact_at: Option<usize>,
}

impl CompanyColumns {
    /// Reads a header, in whichever order, case and spacing.
    pub(crate) fn of(header: &Record) -> Result<Self, InvalidFile> {
        let names: Vec<String> = header.fields.iter().map(|name| canonical(name)).collect();
        for (second, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            if let Some(first) = names.iter().take(second).position(|earlier| earlier == name) {
                let (first, second) = (first + 1, second + 1);
                return Err(InvalidFile::DuplicateColumn {
                    line: header.line,
                    name: shown(name),
                    first,
                    second,
                });
            }
        }
        let column = |wanted: &str| names.iter().position(|name| name == wanted);
        let company_id = column("company_id").ok_or_else(|| InvalidFile::MissingColumn {
            line: header.line,
            column: "company_id",
            found: shown(&header.fields.join(", ")),
        })?;
        Ok(Self {
            count: names.len(),
            company_id,
            name: column("name"),
            country: column("country"),
            industry_tag: column("industry_tag"),
            last_contact_at: column("last_contact_at"),
        })
    }

    /// The company of a record, or why it is none.
    pub(crate) fn row(&self, record: &Record, max_field_bytes: usize) -> SourceRow<CrmCompany> {
        match self.company(record, max_field_bytes) {
            Ok(row) => SourceRow::Accepted { line: record.line, row },
            Err(reason) => SourceRow::Rejected(Rejection::new(record.line, reason, &record.raw)),
        }
    }

    fn company(&self, record: &Record, max_field_bytes: usize) -> Result<CrmCompany, RejectionReason> {
        self.check_count(record)?;
        let text = |field: &'static str, column: Option<usize>| {
            let text = column.and_then(|at| record.fields.get(at)).map_or("", |text| text.trim());
            if text.len() > max_field_bytes {
                let problem = format!("is longer than {max_field_bytes} bytes");
                return Err(RejectionReason::Field { field, problem });
            }
            Ok(Some(text).filter(|text| !text.is_empty()))
        };
        let company_id = text("company_id", Some(self.company_id))?.unwrap_or_default();
        let last_contact_at = text("last_contact_at", self.last_contact_at)?
            .map(|text| {
                parse_timestamp(text).map_err(|problem| RejectionReason::Field {
                    field: "last_contact_at",
                    problem: format!("{:?} {problem}", shown(text)),
                })
            })
            .transpose()?;
        Ok(CrmCompany {
            company_id: CompanyId::parse(company_id).map_err(RejectionReason::CompanyId)?,
            name: text("name", self.name)?.map(str::to_owned),
            country: text("country", self.country)?.map(str::to_owned),
            industry_tag: text("industry_tag", self.industry_tag)?.map(str::to_owned),
            last_contact_at,
            unreadable: UnreadableFields::default(),
        })
    }

    /// A record with another number of fields than the header has was torn or
    /// has a stray delimiter, so that no field can be trusted. Only surplus
    /// fields that are empty do no harm.
    fn check_count(&self, record: &Record) -> Result<(), RejectionReason> {
        let surplus_is_empty = record.fields.iter().skip(self.count).all(|field| field.trim().is_empty());
        if record.fields.len() >= self.count && surplus_is_empty {
            return Ok(());
        }
        Err(RejectionReason::Malformed(format!(
            "has {} fields, the header has {}",
            record.fields.len(),
            self.count
        )))
    }
}

/// The name that a column is known by.
fn canonical(name: &str) -> String {
    let name = name.trim().to_lowercase();
    if name == "company_name" { "name".to_owned() } else { name }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &[&str]) -> Record {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        Record { line: 7, raw: fields.join(","), fields }
    }

    fn columns(names: &[&str]) -> Result<CompanyColumns, InvalidFile> {
        CompanyColumns::of(&record(names))
    }

    fn reason(row: SourceRow<CrmCompany>) -> String {
        match row {
            SourceRow::Rejected(rejection) => rejection.reason.to_string(),
            SourceRow::Accepted { row, .. } | SourceRow::Partial { row, .. } => {
                panic!("{row:?} was accepted")
            }
        }
    }

    #[test]
    fn columns_are_found_by_name_in_any_order_case_and_spacing() {
        let columns = columns(&["note", " Company_Name ", "COMPANY_ID", "last_contact_at"]).unwrap();
        let row = columns.row(&record(&["x", " Acme, Inc ", "007", "2026-01-10"]), 100);
        let SourceRow::Accepted { line, row } = row else { panic!("{row:?}") };
        assert_eq!(line, 7);
        assert_eq!(row.company_id.as_str(), "007");
        assert_eq!(row.name.as_deref(), Some("Acme, Inc"));
        assert_eq!((row.country, row.industry_tag), (None, None));
        assert_eq!(row.last_contact_at.unwrap().to_rfc3339(), "2026-01-10T00:00:00+00:00");
    }

    #[test]
    fn empty_text_is_no_text() {
        let columns = columns(&["company_id", "name", "last_contact_at", "country"]).unwrap();
        let row = columns.row(&record(&["a", "  ", "", ""]), 100);
        let SourceRow::Accepted { row, .. } = row else { panic!("{row:?}") };
        assert_eq!((row.name, row.last_contact_at, row.country), (None, None, None));
    }

    #[test]
    fn a_header_that_leaves_doubt_is_refused_with_line_and_column() {
        for (names, message) in [
            (&["id", "name"][..], "line 7: there is no column company_id, only id, name"),
            (&["company_id", "x", "X "][..], "line 7, columns 2 and 3: both are the x; remove or rename one"),
            (
                &["name", "company_id", "company_name"][..],
                "line 7, columns 1 and 3: both are the name; remove or rename one",
            ),
        ] {
            assert_eq!(columns(names).unwrap_err().to_string(), message);
        }
        assert!(columns(&["company_id", "", ""]).is_ok(), "nameless columns are ignored");
    }

    #[test]
    fn a_bad_row_is_rejected_with_its_reason() {
        let columns = columns(&["company_id", "name", "last_contact_at"]).unwrap();
        for (fields, expected) in [
            (&["", "x", ""][..], "company_id is empty"),
            (&["a", "x"], "has 2 fields, the header has 3"),
            (&["a", "x", "", "y"], "has 4 fields, the header has 3"),
            (&["a", "x", "soon"], "last_contact_at: \"soon\" is no timestamp such as 2026-01-31T09:30:00Z"),
            (&["a", "longer than ten", ""], "name: is longer than 10 bytes"),
        ] {
            assert_eq!(reason(columns.row(&record(fields), 10)), expected);
        }
    }

    #[test]
    fn surplus_fields_that_are_empty_do_no_harm() {
        let columns = columns(&["company_id", "name"]).unwrap();
        let row = columns.row(&record(&["a", "x", "", " "]), 100);
        assert!(matches!(row, SourceRow::Accepted { .. }), "{row:?}");
    }
}
