//! Rows of `fact_company_activity`.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

use crate::company::CompanyId;

/// The fact's 13 columns, with the seed's names in the seed's order.
pub const COLUMNS: [&str; 13] = [
    "company_id",
    "activity_date",
    "company_name",
    "country",
    "industry_tag",
    "last_contact_at",
    "active_users",
    "events",
    "7d_active_users",
    "is_churn_risk",
    "events_per_user",
    "days_since_last_contact",
    "loaded_at",
];

/// The grain of the fact: one company on one UTC calendar day.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FactKey {
    /// The company.
    pub company_id: CompanyId,
    /// The day.
    pub activity_date: NaiveDate,
}

/// One company on one day: the [columns](COLUMNS) as fields.
#[derive(Debug, Clone, PartialEq)]
pub struct FactRow {
    /// The grain.
    pub key: FactKey,
    /// The display name; `None` for a company that was never in the CRM.
    pub company_name: Option<String>,
    /// The country, as the CRM spells it.
    pub country: Option<String>,
    /// The industry, as the CRM spells it.
    pub industry_tag: Option<String>,
    /// The most recent contact.
    pub last_contact_at: Option<DateTime<Utc>>,
    /// Users active on the day.
    pub active_users: i32,
    /// Events of the day.
    pub events: i64,
    /// Sum of daily active users over the calendar days `[D-6, D]`.
    pub active_users_7d: i64,
    /// Whether the calendar days `[D-13, D]` have no event.
    pub is_churn_risk: bool,
    /// Events divided by active users; `None` for a day without active users.
    pub events_per_user: Option<f64>,
    /// UTC calendar days from the last contact to the day; may be negative.
    pub days_since_last_contact: Option<i32>,
    /// When these values were last published.
    pub loaded_at: DateTime<Utc>,
}

impl FactRow {
    /// The columns with their values as text, in the order of [`COLUMNS`]: `None` is NULL,
    /// times are RFC 3339 in UTC.
    #[must_use]
    pub fn texts(&self) -> [(&'static str, Option<String>); COLUMNS.len()] {
        // No `..`: a new field does not compile until it has its column here.
        let Self {
            key: FactKey { company_id, activity_date },
            company_name,
            country,
            industry_tag,
            last_contact_at,
            active_users,
            events,
            active_users_7d,
            is_churn_risk,
            events_per_user,
            days_since_last_contact,
            loaded_at,
        } = self;
        let time = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let values = [
            Some(company_id.to_string()),
            Some(activity_date.to_string()),
            company_name.clone(),
            country.clone(),
            industry_tag.clone(),
            last_contact_at.as_ref().map(time),
            Some(active_users.to_string()),
            Some(events.to_string()),
            Some(active_users_7d.to_string()),
            Some(is_churn_risk.to_string()),
            events_per_user.map(|ratio| ratio.to_string()),
            days_since_last_contact.map(|days| days.to_string()),
            Some(time(loaded_at)),
        ];
        let mut columns = COLUMNS.into_iter();
        values.map(|value| (columns.next().unwrap_or_default(), value))
    }

    /// About how many bytes the row takes in a message.
    #[must_use]
    pub fn approximate_bytes(&self) -> usize {
        /// Numbers, dates and times, and the tags of all fields.
        const FIXED: usize = 50;
        let texts = [&self.company_name, &self.country, &self.industry_tag];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        FIXED + self.key.company_id.as_str().len() + texts
    }

    /// A company-day without CRM data or usage, for tests that fill in what they are about.
    #[must_use]
    pub fn blank(key: FactKey) -> Self {
        Self {
            key,
            company_name: None,
            country: None,
            industry_tag: None,
            last_contact_at: None,
            active_users: 0,
            events: 0,
            active_users_7d: 0,
            is_churn_risk: true,
            events_per_user: None,
            days_since_last_contact: None,
            loaded_at: DateTime::UNIX_EPOCH,
        }
    }
}
