//! The fact's definition as a fold over the accepted inputs, in memory, sharing nothing
//! with any engine.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, TimeDelta};
use domain::{
    CompanyAttributes, CompanyId, Concerns, CrmCompany, FactRow, Rejection, SourceRow, UnreadableFields,
    UsageRecord,
};

/// The accepted inputs.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The snapshot in effect for each day on which one takes effect.
    pub snapshots: BTreeMap<NaiveDate, Companies>,
    /// Active users and events by company and day.
    pub usage: BTreeMap<(CompanyId, NaiveDate), (i32, i64)>,
}

/// The companies of a snapshot.
pub type Companies = BTreeMap<CompanyId, CrmCompany>;

/// The snapshots of the files, each given as its rows: unreadable data is as in the
/// previous snapshot.
#[must_use]
pub fn snapshots_of(
    files: &BTreeMap<NaiveDate, Vec<SourceRow<CrmCompany>>>,
) -> BTreeMap<NaiveDate, Companies> {
    let mut snapshots = BTreeMap::new();
    let mut before = Companies::new();
    for (on, rows) in files {
        before = companies_of(rows, &before);
        snapshots.insert(*on, before.clone());
    }
    snapshots
}

fn companies_of(rows: &[SourceRow<CrmCompany>], before: &Companies) -> Companies {
    let mut companies = Companies::new();
    let mut unread = BTreeSet::new();
    for row in rows {
        match row {
            SourceRow::Accepted { row, .. } | SourceRow::Partial { row, .. } => {
                companies.insert(row.company_id.clone(), completed(row, before.get(&row.company_id)));
            }
            SourceRow::Rejected(Rejection { concerns: Concerns::Company(company_id), .. }) => {
                unread.insert(company_id);
            }
            SourceRow::Rejected(Rejection { concerns: Concerns::Anyone, .. }) => unread.extend(before.keys()),
            SourceRow::Rejected(Rejection { concerns: Concerns::NoOne, .. }) => {}
        }
    }
    for company_id in unread {
        if let Some(company) = before.get(company_id) {
            companies.entry(company_id.clone()).or_insert_with(|| company.clone());
        }
    }
    companies
}

fn completed(row: &CrmCompany, before: Option<&CrmCompany>) -> CrmCompany {
    let UnreadableFields { name, country, industry_tag, last_contact_at } = row.unreadable;
    let before = before.map(|company| company.attributes.clone()).unwrap_or_default();
    let read = row.attributes.clone();
    let attributes = CompanyAttributes {
        name: if name { before.name } else { read.name },
        country: if country { before.country } else { read.country },
        industry_tag: if industry_tag { before.industry_tag } else { read.industry_tag },
        last_contact_at: if last_contact_at { before.last_contact_at } else { read.last_contact_at },
    };
    CrmCompany::read_in_full(row.company_id.clone(), attributes)
}

/// Active users and events of a day by company.
pub type DayUsage = BTreeMap<CompanyId, (i32, i64)>;

/// What is known of a day after an answer: unreadable data stays as it was.
#[must_use]
pub fn answered(rows: &[SourceRow<UsageRecord>], before: &DayUsage) -> DayUsage {
    let mut after = DayUsage::new();
    let mut unread = BTreeSet::new();
    for row in rows {
        match row {
            SourceRow::Accepted { row, .. } | SourceRow::Partial { row, .. } => {
                after.insert(row.company_id.clone(), (row.active_users, row.events));
            }
            SourceRow::Rejected(rejection) => match &rejection.concerns {
                Concerns::Company(company_id) => unread.extend([company_id]),
                Concerns::Anyone => unread.extend(before.keys()),
                Concerns::NoOne => {}
            },
        }
    }
    for company_id in unread {
        if let Some(numbers) = before.get(company_id) {
            after.entry(company_id.clone()).or_insert(*numbers);
        }
    }
    after
}

/// A row of the fact without `loaded_at`, which does not follow from the inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedRow {
    /// The company.
    pub company_id: CompanyId,
    /// The day.
    pub activity_date: NaiveDate,
    /// The version that describes the company; `None` if it was never in the CRM.
    pub company: Option<CrmCompany>,
    /// Users of the day.
    pub active_users: i32,
    /// Events of the day.
    pub events: i64,
    /// Daily users summed over seven calendar days.
    pub active_users_7d: i64,
    /// Whether fourteen calendar days have no event.
    pub is_churn_risk: bool,
    /// Events divided by users.
    pub events_per_user: Option<f64>,
    /// Calendar days since the last contact.
    pub days_since_last_contact: Option<i32>,
}

impl Inputs {
    /// The rows that the definition requires on the given days, by company, then day.
    #[must_use]
    pub fn fact(&self, days: &BTreeSet<NaiveDate>) -> Vec<ExpectedRow> {
        let companies: BTreeSet<&CompanyId> = self
            .snapshots
            .values()
            .flat_map(BTreeMap::keys)
            .chain(self.usage.keys().map(|(company_id, _)| company_id))
            .collect();
        companies
            .into_iter()
            .flat_map(|company_id| days.iter().filter_map(|day| self.row(company_id, *day)))
            .collect()
    }

    /// The row that the definition requires of a company on a day, if any.
    #[must_use]
    pub fn row(&self, company_id: &CompanyId, day: NaiveDate) -> Option<ExpectedRow> {
        let reaching_back = |days: i64| {
            let from = day - TimeDelta::days(days - 1);
            self.usage
                .range((company_id.clone(), from)..=(company_id.clone(), day))
                .map(|(_, numbers)| *numbers)
        };
        let is_member = self.snapshot_on(day).is_some_and(|snapshot| snapshot.contains_key(company_id));
        if !is_member && reaching_back(14).next().is_none() {
            return None;
        }
        // A version without any value looks like a company that was never in the CRM.
        let company = self.version_on(company_id, day).filter(|company| is_described(company)).cloned();
        let (active_users, events) = self.usage.get(&(company_id.clone(), day)).copied().unwrap_or_default();
        let last_contact = company.as_ref().and_then(|company| company.attributes.last_contact_at);
        Some(ExpectedRow {
            company_id: company_id.clone(),
            activity_date: day,
            company,
            active_users,
            events,
            active_users_7d: reaching_back(7).map(|(users, _)| i64::from(users)).sum(),
            is_churn_risk: reaching_back(14).all(|(_, events)| events == 0),
            #[expect(clippy::cast_precision_loss, reason = "the definition is a floating-point ratio")]
            events_per_user: (active_users != 0).then(|| events as f64 / f64::from(active_users)),
            days_since_last_contact: last_contact
                .map(|at| i32::try_from((day - at.date_naive()).num_days()).unwrap()),
        })
    }

    fn snapshot_on(&self, day: NaiveDate) -> Option<&Companies> {
        self.snapshots
            .range(..=day)
            .next_back()
            .or_else(|| self.snapshots.iter().next())
            .map(|(_, companies)| companies)
    }

    fn version_on(&self, company_id: &CompanyId, day: NaiveDate) -> Option<&CrmCompany> {
        let versions =
            || self.snapshots.iter().filter_map(|(on, companies)| Some((*on, companies.get(company_id)?)));
        versions().rfind(|(on, _)| *on <= day).or_else(|| versions().next()).map(|(_, version)| version)
    }
}

fn is_described(company: &CrmCompany) -> bool {
    company.attributes != CompanyAttributes::default()
}

impl From<&FactRow> for ExpectedRow {
    /// A row that an engine published, in the reference's form. A company without any
    /// CRM value counts as one that was never in the CRM.
    fn from(row: &FactRow) -> Self {
        let attributes = CompanyAttributes {
            name: row.company_name.clone(),
            country: row.country.clone(),
            industry_tag: row.industry_tag.clone(),
            last_contact_at: row.last_contact_at,
        };
        let company = CrmCompany::read_in_full(row.key.company_id.clone(), attributes);
        Self {
            company_id: row.key.company_id.clone(),
            activity_date: row.key.activity_date,
            company: is_described(&company).then_some(company),
            active_users: row.active_users,
            events: row.events,
            active_users_7d: row.active_users_7d,
            is_churn_risk: row.is_churn_risk,
            events_per_user: row.events_per_user,
            days_since_last_contact: row.days_since_last_contact,
        }
    }
}
