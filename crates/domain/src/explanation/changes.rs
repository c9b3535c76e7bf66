//! When a row changed.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{
    past::{Moment, Past},
    reasons::{self, Reason},
};
use crate::{fact::FactRow, provenance::Provenance};

/// A publish that changed a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it was.
    pub published_at: DateTime<Utc>,
    /// The run that published, if that is on record.
    pub run_id: Option<String>,
    /// What became of the row.
    pub kind: ChangeKind,
    /// The row before; of a day that was taken back in between, the last one.
    pub before: Option<FactRow>,
    /// The row afterwards.
    pub after: Option<FactRow>,
    /// The columns whose values differ, but for `loaded_at`; none unless there are two rows.
    pub columns: Vec<&'static str>,
    /// Why it changed.
    pub reasons: Vec<Reason>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The day was published for the first time.
    FirstPublished,
    /// The row is that old, or older: what was before is not on record.
    OldestOnRecord,
    /// The day was published already, and the company came to belong to it.
    BecameKnown,
    /// Values changed.
    Changed,
    /// The company no longer belongs to the day.
    Removed,
    /// The day was taken back.
    TakenBack,
    /// The day was published again after it had been taken back.
    PublishedAgain,
}

/// Every change of a row that is on record, the newest first.
pub(super) fn changes(provenance: &Provenance, past: &Past<'_>) -> Vec<Change> {
    let day = provenance.key.activity_date;
    let times: BTreeSet<DateTime<Utc>> =
        past.periods(day).flat_map(|period| [Some(period.row.loaded_at), period.until]).flatten().collect();
    let mut changes: Vec<Change> = Vec::new();
    for time in times {
        let ended = changes.last().filter(|change| change.after.is_none());
        let found = change(provenance, past, time, ended);
        changes.extend(found);
    }
    changes.reverse();
    changes
}

/// The change of a publish; `ended` is the one that left no row, if the row begins anew.
fn change(
    provenance: &Provenance,
    past: &Past<'_>,
    time: DateTime<Utc>,
    ended: Option<&Change>,
) -> Option<Change> {
    let day = provenance.key.activity_date;
    let (before, after) = (past.row(day, Moment::Before(time)), past.row(day, Moment::At(time)));
    let publication = past.publication(day, Moment::At(time));
    let earlier = past.publication(day, Moment::Before(time));
    let was_taken_back = |publication: Option<&crate::provenance::DayPublication>| {
        publication.is_some_and(|publication| publication.row_count.is_none())
    };
    let kind = match (before, after) {
        (None, None) => return None,
        (Some(_), Some(_)) => ChangeKind::Changed,
        (Some(_), None) if was_taken_back(publication) => ChangeKind::TakenBack,
        (Some(_), None) => ChangeKind::Removed,
        (None, Some(_)) if !past.is_on_record(time) => ChangeKind::OldestOnRecord,
        (None, Some(_)) if was_taken_back(earlier) => ChangeKind::PublishedAgain,
        (None, Some(_)) if earlier.is_some() => ChangeKind::BecameKnown,
        (None, Some(_)) => ChangeKind::FirstPublished,
    };
    // A row that was taken back is compared with the one that is published in its place.
    let (before, since) = match (kind, ended) {
        (
            ChangeKind::PublishedAgain,
            Some(Change { kind: ChangeKind::TakenBack, before: last, published_at, .. }),
        ) => (last.as_ref(), *published_at),
        _ => (before, time),
    };
    let columns = before.zip(after).map(|(before, after)| differing(before, after)).unwrap_or_default();
    let between = reasons::Between { from: Moment::Before(since), to: Moment::At(time), before, after };
    Some(Change {
        published_at: time,
        run_id: past.run_at(day, time),
        kind,
        reasons: reasons::reasons(provenance, past, kind, &between),
        before: before.cloned(),
        after: after.cloned(),
        columns,
    })
}

/// The columns in which two rows differ, but for `loaded_at`.
fn differing(before: &FactRow, after: &FactRow) -> Vec<&'static str> {
    let pairs = before.texts().into_iter().zip(after.texts());
    let differing = pairs.filter(|((column, before), (_, after))| *column != "loaded_at" && before != after);
    differing.map(|((column, _), _)| column).collect()
}
