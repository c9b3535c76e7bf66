//! Rows of the fact for tests of this crate.

use chrono::DateTime;
use domain::{CompanyId, FactKey, FactRow, date_window::parse_day};

/// A row of a company that was never in the CRM and has no events.
pub(crate) fn idle_company(company_id: &str) -> FactRow {
    FactRow {
        key: FactKey {
            company_id: CompanyId::parse(company_id).unwrap(),
            activity_date: parse_day("2026-02-01").unwrap(),
        },
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
