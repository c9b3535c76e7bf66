//! Converts domain values to messages.

use chrono::NaiveDate;
use contract::message::fact_row_to_proto;
pub(crate) use contract::message::{publication_to_proto as publication, timestamp_to_proto as timestamp};
use domain::FactRow;
use proto::activity::v1::{
    ChurnRisk as ChurnRiskProto, CompanyActivityRollUp, ExportCompanyActivityResponse, GetFreshnessResponse,
};
use uuid::Uuid;
use warehouse::{ChurnRisk, Freshness, PublishedState, RollUp};

/// Names the run whose state an answer is: the requested one, else the one that left the state.
pub(crate) fn as_of_run_id(asked: Option<Uuid>, left_by: Option<String>) -> String {
    asked.map(|run_id| run_id.to_string()).or(left_by).unwrap_or_default()
}

/// Converts a message of an export; the first one has the state.
pub(crate) fn export_message(
    rows: Vec<FactRow>,
    state: Option<PublishedState>,
    as_of: Option<Uuid>,
) -> ExportCompanyActivityResponse {
    let activities = rows.into_iter().map(fact_row_to_proto).collect();
    let Some(state) = state else {
        return ExportCompanyActivityResponse { activities, ..ExportCompanyActivityResponse::default() };
    };
    ExportCompanyActivityResponse {
        activities,
        publication: state.newest().cloned().map(publication),
        publications: state.publications.into_iter().map(publication).collect(),
        as_of_run_id: as_of_run_id(as_of, state.left_by),
    }
}

/// Converts one period of a company.
pub(crate) fn roll_up(roll_up: RollUp) -> CompanyActivityRollUp {
    CompanyActivityRollUp {
        period_start: roll_up.period_start.to_string(),
        days: day_count(roll_up.days),
        user_days: roll_up.user_days,
        events: roll_up.events,
        active_days: day_count(roll_up.active_days),
        is_churn_risk_at_end: roll_up.is_churn_risk_at_end,
    }
}

/// Converts a company at risk.
pub(crate) fn churn_risk(risk: ChurnRisk) -> ChurnRiskProto {
    ChurnRiskProto {
        activity: Some(fact_row_to_proto(risk.row)),
        last_event_date: risk.last_event_date.map(|day| day.to_string()).unwrap_or_default(),
    }
}

/// Converts what is published, as of `yesterday`. Days published ahead of it,
/// as by a run over today, do not count as behind.
pub(crate) fn freshness(freshness: Option<Freshness>, yesterday: NaiveDate) -> GetFreshnessResponse {
    let Some(Freshness { newest, oldest, published_days }) = freshness else {
        return GetFreshnessResponse::default();
    };
    let days_behind = (yesterday - newest.activity_date).num_days().max(0);
    GetFreshnessResponse {
        newest: Some(publication(newest)),
        oldest_date: oldest.to_string(),
        published_days,
        days_behind: day_count(days_behind),
    }
}

/// A count of days in the contract's `int32`, which covers some five million years.
fn day_count(days: i64) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use domain::{Publication, date_window::parse_day};

    use super::*;
    use crate::test_rows::idle_company;

    fn day(text: &str) -> NaiveDate {
        parse_day(text).unwrap()
    }

    fn instant(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn published(on: &str) -> Publication {
        Publication {
            activity_date: day(on),
            run_id: "run".to_owned(),
            published_at: instant("2026-02-02T06:00:00Z"),
            row_count: 3,
            checksum: Ok(domain::Checksum::default()),
        }
    }

    #[test]
    fn a_company_that_never_had_an_event_has_no_last_event_date() {
        let never = ChurnRisk { row: idle_company("007"), last_event_date: None };
        assert_eq!(churn_risk(never).last_event_date, "");
        let once = ChurnRisk { row: idle_company("007"), last_event_date: Some(day("2026-01-03")) };
        assert_eq!(churn_risk(once).last_event_date, "2026-01-03");
    }

    #[test]
    fn freshness_counts_days_from_the_newest_to_yesterday() {
        for (newest, behind) in [("2026-02-13", 0), ("2026-02-10", 3), ("2026-02-14", 0)] {
            let known =
                Freshness { newest: published(newest), oldest: day("2026-01-01"), published_days: 40 };
            let message = freshness(Some(known), day("2026-02-13"));
            assert_eq!(message.days_behind, behind, "{newest}");
            assert_eq!(message.oldest_date, "2026-01-01");
        }
    }

    #[test]
    fn freshness_of_nothing_is_unset() {
        assert_eq!(freshness(None, day("2026-02-13")), GetFreshnessResponse::default());
    }
}
