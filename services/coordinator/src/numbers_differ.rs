//! What a reconciliation found, in total, as a metric and as an alert.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::message::difference_kind_from_proto;
use domain::{AlertCause, DateWindow, DifferenceKind};
use opentelemetry::KeyValue;
use proto::reconciliation::v1::{DifferenceCount, Mismatch, ReconciliationSummary, UsageNumbers};
use telemetry::metrics;
use tonic::Code;
use uuid::Uuid;
use warehouse::NewAlert;

use crate::reconcile::Asked;

/// What the alert names instead of a stage.
const STAGE: &str = "reconciliation";

/// How many differences an alert lists.
const LISTED: usize = 5;

/// The totals of a reconciliation, and its first differences.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    compared: u64,
    mismatches: u64,
    invalid_records: u64,
    /// By the kind's number, which a newer service may know alone.
    by_kind: BTreeMap<i32, u64>,
    /// Whether a run over the days is under way.
    is_run_under_way: bool,
    /// Those of `by_kind` that this run may be about to publish.
    awaiting: BTreeMap<i32, u64>,
    first: Vec<String>,
}

impl Tally {
    /// Notes whether a run over the next days is under way.
    pub(crate) const fn note_run(&mut self, is_under_way: bool) {
        self.is_run_under_way = is_under_way;
    }

    /// Keeps a difference to list, if people are to be alerted of it and there are few yet.
    pub(crate) fn note(&mut self, difference: &Mismatch) {
        if self.is_run_under_way && difference.awaits_publish {
            *self.awaiting.entry(difference.kind).or_default() += 1;
        } else if alerts(difference.kind) && self.first.len() < LISTED {
            self.first.push(in_words(difference));
        }
    }

    /// Adds the totals of some days.
    pub(crate) fn add(&mut self, summary: &ReconciliationSummary) {
        self.compared += summary.compared;
        self.mismatches += summary.mismatches;
        self.invalid_records += summary.invalid_records;
        for DifferenceCount { kind, count } in &summary.by_kind {
            *self.by_kind.entry(*kind).or_default() += count;
        }
    }

    /// The totals so far.
    pub(crate) fn summary(&self) -> ReconciliationSummary {
        let count = |(kind, count): (&i32, &u64)| DifferenceCount { kind: *kind, count: *count };
        ReconciliationSummary {
            compared: self.compared,
            mismatches: self.mismatches,
            invalid_records: self.invalid_records,
            by_kind: self.by_kind.iter().map(count).collect(),
            awaiting_run: self.awaiting.values().sum(),
        }
    }

    /// The differences by kind, without those that a run may be about to publish.
    fn settled(&self) -> impl Iterator<Item = (i32, u64)> {
        let settled = self.by_kind.iter().map(|(kind, count)| {
            (*kind, count.saturating_sub(self.awaiting.get(kind).copied().unwrap_or_default()))
        });
        settled.filter(|(_, count)| *count > 0)
    }

    /// Counts the differences in the metric.
    pub(crate) fn count(&self) {
        let counter = metrics::RECONCILIATION_DIFFERENCES.counter();
        for (kind, count) in self.settled() {
            counter.add(count, &[KeyValue::new("kind", word(kind))]);
        }
    }

    /// The alert of the differences; `None` if there are none.
    pub(crate) fn alert(&self, pipeline: &str, asked: &Asked, now: DateTime<Utc>) -> Option<NewAlert> {
        let window = asked.window;
        let message = self.message(window)?;
        Some(NewAlert {
            // The same differences, found again the same day, alert nobody twice.
            alert_key: format!("{pipeline}/{STAGE}/{window}/{}/{}", asked.selection(), now.date_naive()),
            cause: AlertCause::NumbersDiffer,
            pipeline: pipeline.to_owned(),
            stage: STAGE.to_owned(),
            attempt: 0,
            error_code: contract::code_name(Code::DataLoss).to_owned(),
            error_message: message,
            run_id: Uuid::nil(),
            business_date: window.end(),
            failed_at: now,
        })
    }

    fn message(&self, window: DateWindow) -> Option<String> {
        let Self { compared, first, .. } = self;
        let by_kind: Vec<(i32, u64)> = self.settled().filter(|(kind, _)| alerts(*kind)).collect();
        if by_kind.is_empty() {
            return None;
        }
        let mismatches: u64 = by_kind.iter().map(|(_, count)| count).sum();
        let kinds: Vec<String> =
            by_kind.iter().map(|(kind, count)| format!("{count} {}", word(*kind))).collect();
        let mut message = format!(
            "{mismatches} of {compared} compared company-days of {window} differ from the product API: {}",
            kinds.join(", ")
        );
        for difference in first {
            message.push_str(&format!("\n{difference}"));
        }
        let others = mismatches.saturating_sub(first.len() as u64);
        if others > 0 {
            message.push_str(&format!("\nand {others} more"));
        }
        if window.len_days() > 1 {
            let command = reconcile_command(window);
            message.push_str(&format!(
                "\nSee them all by `{command}`, and run the days that differ again by `{command} --heal`"
            ));
        }
        Some(message)
    }
}

/// Begins the counts at zero: the first increment of a counter that did not exist before would
/// not show as growth.
pub(crate) fn begin_counts() {
    let counter = metrics::RECONCILIATION_DIFFERENCES.counter();
    for kind in DifferenceKind::ALL {
        counter.add(0, &[KeyValue::new("kind", kind.as_str())]);
    }
}

/// The command that lists every difference of some days.
#[must_use]
pub fn reconcile_command(days: DateWindow) -> String {
    format!("activityctl reconcile --all --from {} --to {}", days.start(), days.end())
}

/// Whether people are alerted of a kind. Rows in quarantine are counted and alerted of by
/// themselves, until somebody accepts them.
fn alerts(kind: i32) -> bool {
    difference_kind_from_proto(kind) != Some(DifferenceKind::Quarantined)
}

/// The word for a kind, by its number in the contract.
fn word(kind: i32) -> &'static str {
    difference_kind_from_proto(kind).map_or("unknown", DifferenceKind::as_str)
}

fn in_words(difference: &Mismatch) -> String {
    let Mismatch { company_id, activity_date, published, source, kind, .. } = difference;
    let numbers = |numbers: &Option<UsageNumbers>| match numbers {
        Some(UsageNumbers { active_users, events }) => format!("{active_users} users, {events} events"),
        None => "nothing".to_owned(),
    };
    let (published, source) = (numbers(published), numbers(source));
    format!("{activity_date} {company_id}: {published} published, {source} at the source ({})", word(*kind))
}

#[cfg(test)]
mod tests {
    use proto::reconciliation::v1::DifferenceKind as Kind;

    use super::*;

    fn difference(company: &str, published: Option<UsageNumbers>) -> Mismatch {
        Mismatch {
            company_id: company.to_owned(),
            activity_date: "2026-02-12".to_owned(),
            published,
            source: Some(UsageNumbers { active_users: 3, events: 40 }),
            kind: Kind::LateAtSource.into(),
            ..Mismatch::default()
        }
    }

    fn days(start: &str, end: &str) -> DateWindow {
        DateWindow::parse(start, end).unwrap()
    }

    #[test]
    fn an_alert_says_how_many_of_what_kind_and_lists_the_first() {
        let mut tally = Tally::default();
        let one_day = days("2026-02-12", "2026-02-12");
        assert_eq!(tally.message(one_day), None);
        tally.note(&difference("acme", None));
        tally.note(&difference("bolt", Some(UsageNumbers { active_users: 1, events: 2 })));
        let kinds = [(Kind::LateAtSource.into(), 1), (Kind::ExtraHere.into(), 1), (99, 1)];
        let by_kind = kinds.map(|(kind, count)| DifferenceCount { kind, count }).to_vec();
        let summary = ReconciliationSummary { compared: 200, mismatches: 3, by_kind, ..Default::default() };
        tally.add(&summary);
        assert_eq!(tally.summary(), summary);
        let message = "3 of 200 compared company-days of 2026-02-12 differ from the product API: \
                       1 late_at_source, 1 extra_here, 1 unknown\n\
                       2026-02-12 acme: nothing published, 3 users, 40 events at the source (late_at_source)\n\
                       2026-02-12 bolt: 1 users, 2 events published, 3 users, 40 events at the source \
                       (late_at_source)\n\
                       and 1 more";
        assert_eq!(tally.message(one_day).as_deref(), Some(message));
        let longer = tally.message(days("2026-02-11", "2026-02-12")).unwrap();
        assert!(
            longer.ends_with("by `activityctl reconcile --all --from 2026-02-11 --to 2026-02-12 --heal`"),
            "{longer}"
        );
    }

    #[test]
    fn an_alert_is_the_same_for_the_same_days_until_the_next_day() {
        let mut tally = Tally::default();
        tally.add(&of_kind(Kind::LateAtSource, 1));
        let asked = Asked {
            window: days("2026-02-11", "2026-02-12"),
            company_ids: vec![],
            sample_size: 0,
            sample_seed: String::new(),
            report: true,
            requested_by: "tester".to_owned(),
        };
        let key = |at: &str, asked: &Asked| {
            let alert = tally.alert("daily", asked, at.parse().unwrap()).unwrap();
            (alert.alert_key, alert.business_date.to_string())
        };
        let expected = "daily/reconciliation/2026-02-11..2026-02-12/all/2026-02-13".to_owned();
        assert_eq!(key("2026-02-13T07:00:00Z", &asked), (expected.clone(), "2026-02-12".to_owned()));
        assert_eq!(key("2026-02-13T23:00:00Z", &asked).0, expected);
        assert_ne!(key("2026-02-14T07:00:00Z", &asked).0, expected);
        // What one comparison found says nothing of another's companies.
        let sampled = Asked { sample_size: 7, sample_seed: "seed".to_owned(), ..asked.clone() };
        assert!(key("2026-02-13T07:00:00Z", &sampled).0.ends_with("/sample-7-seed/2026-02-13"));
        let one = |id: &str| Asked { company_ids: vec![id.to_owned()], ..asked.clone() }.selection();
        assert_ne!(one("acme"), one("bolt"));
    }

    fn of_kind(kind: Kind, count: u64) -> ReconciliationSummary {
        let by_kind = vec![DifferenceCount { kind: kind.into(), count }];
        ReconciliationSummary { compared: 10, mismatches: count, by_kind, ..Default::default() }
    }

    #[test]
    fn nobody_is_alerted_of_quarantine_nor_of_what_a_run_may_be_about_to_publish() {
        let window = days("2026-02-12", "2026-02-12");
        let mut tally = Tally::default();
        tally.note(&Mismatch { kind: Kind::Quarantined.into(), ..difference("acme", None) });
        tally.add(&of_kind(Kind::Quarantined, 1));
        assert_eq!(tally.message(window), None);
        let waits =
            Mismatch { kind: Kind::DiffersHere.into(), awaits_publish: true, ..difference("bolt", None) };
        for (is_under_way, awaiting_run) in [(true, 1), (false, 0)] {
            let mut tally = Tally::default();
            tally.note_run(is_under_way);
            tally.note(&waits);
            tally.add(&of_kind(Kind::DiffersHere, 1));
            assert_eq!(tally.summary().awaiting_run, awaiting_run);
            assert_eq!(tally.message(window).is_none(), is_under_way);
        }
    }
}
