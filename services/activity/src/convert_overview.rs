//! Converts what is seen at a glance to messages.

use contract::message::fact_row_to_proto;
use domain::{DayTotals, LastContact};
use proto::activity::v1::{
    ChurnByContact, ChurnCounts as ChurnCountsProto, ChurnGroup, DayPublication as DayPublicationProto,
    DayTotals as DayTotalsProto, GetChurnSummaryResponse, PublishedDay as PublishedDayProto,
    SearchCompaniesResponse,
};
use warehouse::{ChurnCounts, ChurnSummary, DayPublication, PublishedDay};

use crate::{
    convert::{publication, timestamp},
    overview::FoundPage,
};

/// Converts a page of companies.
pub(crate) fn companies(page: FoundPage, next_page_token: String) -> SearchCompaniesResponse {
    SearchCompaniesResponse {
        activities: page.rows.into_iter().map(fact_row_to_proto).collect(),
        next_page_token,
        publication: page.publication.map(publication),
        total_companies: page.total,
    }
}

/// Converts a summary.
pub(crate) fn churn_summary(summary: Option<ChurnSummary>) -> GetChurnSummaryResponse {
    let Some(summary) = summary else { return GetChurnSummaryResponse::default() };
    let groups = |groups: Vec<(String, ChurnCounts)>| {
        groups
            .into_iter()
            .map(|(value, counts)| ChurnGroup { value, counts: Some(churn_counts(counts)) })
            .collect()
    };
    GetChurnSummaryResponse {
        publication: Some(publication(summary.publication)),
        is_previous_day_published: summary.is_previous_day_published,
        total: Some(churn_counts(summary.total)),
        by_country: groups(summary.by_country),
        by_industry: groups(summary.by_industry),
        by_last_contact: summary.by_last_contact.into_iter().map(churn_by_contact).collect(),
    }
}

const fn churn_counts(counts: ChurnCounts) -> ChurnCountsProto {
    let ChurnCounts { companies, at_risk, new, recovered } = counts;
    ChurnCountsProto { companies, at_risk, new, recovered }
}

fn churn_by_contact((group, counts): (LastContact, ChurnCounts)) -> ChurnByContact {
    let (min_days, max_days) = group.days();
    ChurnByContact {
        min_days: min_days.unwrap_or_default(),
        max_days,
        never: group == LastContact::Never,
        counts: Some(churn_counts(counts)),
    }
}

/// Converts a published day.
pub(crate) fn published_day(day: PublishedDay) -> PublishedDayProto {
    let checksum = day.publication.checksum.map(|checksum| checksum.to_string()).unwrap_or_default();
    let totals = |totals: DayTotals| {
        let DayTotals { active_users, events, churn_risks, active_companies } = totals;
        DayTotalsProto { active_users, events, churn_risks, active_companies }
    };
    PublishedDayProto {
        checksum,
        totals: day.totals.map(totals),
        publication: Some(publication(day.publication)),
    }
}

/// Converts an entry of a day's history.
pub(crate) fn day_publication(entry: DayPublication) -> DayPublicationProto {
    let DayPublication { published_at, run_id, left, replaced_rows } = entry;
    let is_taken_back = left.is_none();
    let (row_count, checksum) = match left {
        Some((rows, checksum)) => (rows, checksum.map(|checksum| checksum.to_string()).unwrap_or_default()),
        None => (0, String::new()),
    };
    let publish_time = Some(timestamp(published_at));
    DayPublicationProto { publish_time, run_id, is_taken_back, row_count, checksum, replaced_rows }
}
