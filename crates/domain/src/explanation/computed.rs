//! The fact's definition, applied to what is staged for one company-day.

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    fact::FactRow,
    provenance::Provenance,
    usage::{CHURN_DAYS, ROLLING_USERS_DAYS, UsageNumbers},
};

/// The row that the staged data gives, or `None` if the company does not belong to the day:
/// it is not in the snapshot, and has no record on the days that are read. The `loaded_at`
/// means nothing.
#[must_use]
pub fn computed(provenance: &Provenance) -> Option<FactRow> {
    let has_record = provenance.last_days(CHURN_DAYS).any(|day| day.record.is_some());
    if !has_record && !provenance.crm.is_member() {
        return None;
    }
    let day = provenance.key.activity_date;
    let attributes =
        provenance.crm.version.as_ref().map(|version| version.attributes.clone()).unwrap_or_default();
    let UsageNumbers { active_users, events } =
        provenance.last_days(1).find_map(|usage| usage.record).unwrap_or_default();
    Some(FactRow {
        key: provenance.key.clone(),
        days_since_last_contact: attributes.last_contact_at.map(|at| days_since(at, day)),
        company_name: attributes.name,
        country: attributes.country,
        industry_tag: attributes.industry_tag,
        last_contact_at: attributes.last_contact_at,
        active_users,
        events,
        active_users_7d: provenance
            .last_days(ROLLING_USERS_DAYS)
            .filter_map(|usage| usage.record)
            .map(|record| i64::from(record.active_users))
            .sum(),
        is_churn_risk: provenance
            .last_days(CHURN_DAYS)
            .filter_map(|usage| usage.record)
            .all(|record| record.events == 0),
        #[expect(clippy::cast_precision_loss, reason = "the column is a floating-point ratio")]
        events_per_user: (active_users != 0).then(|| events as f64 / f64::from(active_users)),
        loaded_at: DateTime::UNIX_EPOCH,
    })
}

fn days_since(contact: DateTime<Utc>, day: NaiveDate) -> i32 {
    // No two days of the calendar are further apart than an `i32` counts.
    i32::try_from((day - contact.date_naive()).num_days()).unwrap_or_default()
}
