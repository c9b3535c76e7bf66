//! Exports of a history, with some unreadable rows.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{
    CompanyAttributes, Concerns, CrmCompany, Rejection, RejectionReason, SourceRow, UnreadableFields,
};
use proptest::prelude::*;
use warehouse_core::CrmExport;

use super::extent::{COMPANIES, SPAN};
use crate::scene::{at, day, id};

/// A delivered export: the full state of some companies on a day, as far as it is
/// readable.
#[derive(Debug, Clone)]
pub(super) struct Export {
    dating: Dating,
    companies: Vec<Option<Row>>,
    /// After the companies: a row that may concern anyone, or one that concerns no one.
    torn: Option<bool>,
}

/// What determines the day on which an export takes effect.
#[derive(Debug, Clone, Copy)]
enum Dating {
    /// Its name, one of two files for this day.
    Name { on: i64, file: u8 },
    /// The first run that sees its content.
    FirstSeen,
}

/// How a company appears.
#[derive(Debug, Clone)]
struct Row {
    name: u8,
    last_contact: Option<i64>,
    readable: Readable,
}

#[derive(Debug, Clone, Copy)]
enum Readable {
    All,
    Without(UnreadableFields),
    Nothing,
}

fn readable() -> impl Strategy<Value = Readable> {
    let without = any::<(bool, bool, bool)>().prop_map(|(name, country, last_contact_at)| {
        // A row without defects would be accepted.
        let industry_tag = !(name || country || last_contact_at);
        Readable::Without(UnreadableFields { name, country, industry_tag, last_contact_at })
    });
    prop_oneof![6 => Just(Readable::All), 2 => without, 1 => Just(Readable::Nothing)]
}

pub(super) fn exports() -> impl Strategy<Value = Export> {
    let row = (0..3_u8, prop::option::of(-40..60_i64), readable())
        .prop_map(|(name, last_contact, readable)| Row { name, last_contact, readable });
    let torn = prop_oneof![5 => Just(None), 1 => any::<bool>().prop_map(Some)];
    (0..SPAN, 0..2_u8, prop::collection::vec(prop::option::of(row), COMPANIES.len()), torn)
        .prop_map(|(on, file, companies, torn)| Export { dating: Dating::Name { on, file }, companies, torn })
}

/// The one undated file, overwritten with few different contents, so that some recur.
pub(super) fn undated_exports() -> impl Strategy<Value = Export> {
    (0..3_u8).prop_map(|content| {
        let row = |at: u8| {
            let is_without_name = at == content + 1;
            let name = UnreadableFields { name: true, ..UnreadableFields::default() };
            let readable = if is_without_name { Readable::Without(name) } else { Readable::All };
            Row { name: content, last_contact: Some(i64::from(content) * 10), readable }
        };
        let companies = (0..).zip(COMPANIES).map(|(at, _)| (at != content).then(|| row(at))).collect();
        Export { dating: Dating::FirstSeen, companies, torn: None }
    })
}

impl Export {
    /// The day in its name.
    pub(super) fn dated(&self) -> Option<NaiveDate> {
        match self.dating {
            Dating::Name { on, .. } => Some(day(on)),
            Dating::FirstSeen => None,
        }
    }

    pub(super) fn path(&self) -> String {
        match self.dating {
            Dating::Name { on, file } => format!("companies_{}_{file}.csv", day(on)),
            Dating::FirstSeen => "companies.csv".to_owned(),
        }
    }

    pub(super) fn file(&self, etag: &str, effective_on: NaiveDate) -> CrmExport {
        CrmExport { path: self.path(), etag: etag.to_owned(), effective_on, bytes: 1, archive_path: None }
    }

    /// An entity tag that is equal for equal content.
    pub(super) fn content_tag(&self) -> String {
        format!("{:?}", self.companies)
    }

    /// Whether the export contains anything about any company.
    pub(super) fn has_companies(&self) -> bool {
        self.companies.iter().flatten().any(|row| !matches!(row.readable, Readable::Nothing))
    }

    /// The same export as it is once everything in it can be read.
    pub(super) fn mended(&self) -> Self {
        let companies = self
            .companies
            .iter()
            .map(|row| row.as_ref().map(|row| Row { readable: Readable::All, ..row.clone() }));
        Self { companies: companies.collect(), torn: None, ..self.clone() }
    }

    /// Whether everything in it can be read.
    pub(super) fn is_readable(&self) -> bool {
        let mut rows = self.companies.iter().flatten();
        self.torn.is_none() && rows.all(|row| matches!(row.readable, Readable::All))
    }

    pub(super) fn rows(&self) -> Vec<SourceRow<CrmCompany>> {
        let reported = (2..).zip(COMPANIES).zip(&self.companies);
        let reported =
            reported.filter_map(|((line, company_id), row)| Some(row.as_ref()?.reported(line, company_id)));
        let torn = self.torn.map(|anyones| {
            let concerns = if anyones { Concerns::Anyone } else { Concerns::NoOne };
            SourceRow::Rejected(rejection(99, concerns))
        });
        reported.chain(torn).collect()
    }
}

impl Row {
    fn reported(&self, line: u64, company_id: &str) -> SourceRow<CrmCompany> {
        let concerns = Concerns::Company(id(company_id));
        match self.readable {
            Readable::All => {
                SourceRow::Accepted { line, row: self.company(company_id, UnreadableFields::default()) }
            }
            Readable::Without(unreadable) => SourceRow::Partial {
                row: self.company(company_id, unreadable),
                rejection: rejection(line, concerns),
            },
            Readable::Nothing => SourceRow::Rejected(rejection(line, concerns)),
        }
    }

    fn company(&self, company_id: &str, unreadable: UnreadableFields) -> CrmCompany {
        let contact =
            |offset: i64| -> DateTime<Utc> { at(9) - TimeDelta::days(150) + TimeDelta::days(offset) };
        let attributes = CompanyAttributes {
            name: (!unreadable.name).then(|| format!("name {}", self.name)),
            country: (!unreadable.country && self.name > 0).then(|| "DE".to_owned()),
            industry_tag: None,
            last_contact_at: self.last_contact.filter(|_| !unreadable.last_contact_at).map(contact),
        };
        CrmCompany { company_id: id(company_id), attributes, unreadable }
    }
}

fn rejection(line: u64, concerns: Concerns) -> Rejection {
    Rejection::new(line, RejectionReason::Malformed("torn".to_owned()), "torn").concerning(concerns)
}
