use std::collections::VecDeque;

use futures::executor::block_on;

use super::*;
use crate::crm_snapshots::Snapshot;

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, number).unwrap()
}

fn snapshot(on: u32) -> Snapshot {
    Snapshot { on: day(on), path: "a.csv".into(), companies: 3 }
}

/// Records the statements, and returns what it was set up with.
#[derive(Default)]
struct Recorded {
    steps: Vec<String>,
    changes: CrmChanges,
    unreadable: u64,
    derived: u64,
    heirs: VecDeque<Heir>,
}

#[async_trait]
impl CrmHistory for Recorded {
    type Error = Error;

    async fn execute(&mut self, step: CrmStep<'_>) -> Result<u64, Error> {
        let name = format!("{step:?}");
        self.steps.push(name.split([' ', '{']).next().unwrap_or_default().to_owned());
        Ok(match step {
            CrmStep::RecordUnreadable { .. } => self.unreadable,
            CrmStep::FindDerivedChanges { .. } => self.derived,
            _ => 1,
        })
    }

    async fn around(&mut self, _day: NaiveDate) -> Result<Neighbourhood, Error> {
        Ok(Neighbourhood::default())
    }

    async fn changes(&mut self) -> Result<CrmChanges, Error> {
        Ok(self.changes)
    }

    async fn heir(&mut self, _day: NaiveDate) -> Result<Option<Heir>, Error> {
        Ok(self.heirs.pop_front())
    }
}

fn steps(mut history: Recorded, place: &Neighbourhood, keeps_unnamed: bool) -> (Vec<String>, Counters) {
    let export = CrmExport {
        path: "b.csv".into(),
        etag: "1".into(),
        effective_on: day(10),
        bytes: 1,
        archive_path: None,
    };
    let mut counters = Counters::default();
    let arrival = Arrival { export: &export, accepted: 5, keeps_unnamed };
    block_on(take_over(&mut history, arrival, place, &mut counters)).unwrap();
    (history.steps, counters)
}

#[test]
fn a_day_is_cut_out_before_it_is_written_and_joined_at_the_later_end_first() {
    let (on, previous, next) = (day(10), day(5), day(15));
    assert_eq!(
        version_steps(on, (Some(previous), Some(next)), Some(on)),
        [
            CrmStep::SplitAfter { day: on, next },
            CrmStep::DropAt { day: on },
            CrmStep::EndBefore { day: on, previous },
            CrmStep::InsertVersions { day: on, next: Some(next) },
            CrmStep::Merge { last: on, first: next },
            CrmStep::DropMerged { first: next },
            CrmStep::Merge { last: previous, first: on },
            CrmStep::DropMerged { first: on },
        ]
    );
}

#[test]
fn nothing_begins_on_a_new_day_and_nothing_is_joined_with_what_a_change_differs_from() {
    let (on, previous, next) = (day(10), day(5), day(15));
    assert_eq!(
        version_steps(on, (Some(previous), Some(next)), Some(previous)),
        [
            CrmStep::SplitAfter { day: on, next },
            CrmStep::EndBefore { day: on, previous },
            CrmStep::InsertVersions { day: on, next: Some(next) },
            CrmStep::Merge { last: on, first: next },
            CrmStep::DropMerged { first: next },
        ]
    );
    assert_eq!(
        version_steps(on, (None, Some(next)), Some(next)),
        [CrmStep::SplitAfter { day: on, next }, CrmStep::InsertVersions { day: on, next: Some(next) }]
    );
    assert_eq!(
        version_steps(on, (Some(previous), None), Some(previous)),
        [CrmStep::EndBefore { day: on, previous }, CrmStep::InsertVersions { day: on, next: None }]
    );
    let first = [CrmStep::InsertVersions { day: on, next: None }];
    assert_eq!(version_steps(on, (None, None), None), first);
}

#[test]
fn unchanged_companies_are_extended_from_the_nearest_snapshot_if_one_comes_after() {
    let (on, previous, next) = (day(10), day(5), day(15));
    let to = CrmStep::ExtendUnchangedTo { day: on, previous };
    assert_eq!(extension(on, Some(previous), Some(next)), Some(to));
    let from = CrmStep::ExtendUnchangedFrom { day: on, next };
    assert_eq!(extension(on, None, Some(next)), Some(from));
    assert_eq!(extension(on, Some(previous), None), None);
    assert_eq!(extension(on, None, None), None);
}

#[test]
fn an_equal_export_of_the_same_day_counts_no_change_and_derives_nothing() {
    let place = Neighbourhood { same_day: Some(snapshot(10)), ..Neighbourhood::default() };
    let heirs = VecDeque::from([Heir { effective_on: day(20), keeps_unnamed: true }]);
    let (steps, counters) = steps(Recorded { heirs, ..Recorded::default() }, &place, false);
    assert_eq!(
        steps,
        [
            "ForgetUnreadable",
            "FindChanges",
            "NameCompanies",
            "DropAt",
            "InsertVersions",
            "MarkDirty",
            "RecordSnapshot",
        ]
    );
    assert_eq!((counters.rows_written, counters.rows_unchanged), (0, 5));
}

#[test]
fn what_cannot_be_read_is_inherited_and_heirs_are_derived_until_nothing_changes() {
    let heir = |on| Heir { effective_on: day(on), keeps_unnamed: on == 20 };
    let changes = CrmChanges { written: 2, removed: 1, all: 3 };
    let heirs = VecDeque::from([heir(20), heir(25)]);
    let history = Recorded { changes, unreadable: 1, heirs, ..Recorded::default() };
    let (steps, counters) = steps(history, &Neighbourhood::default(), true);
    assert_eq!(
        steps[..5],
        ["KeepUnnamed", "ForgetUnreadable", "RecordUnreadable", "InheritFields", "DropUnknown"]
    );
    let position = |name| steps.iter().position(|step| step == name).unwrap();
    assert!(position("NameCompanies") < position("BumpStagingVersion"));
    assert!(position("BumpStagingVersion") < position("MarkDirty"));
    // Nothing of the first heir has changed, so the second is not examined.
    let derived = ["ClearIncoming", "ClearChanges", "MarkUnnamed", "DeriveAgain", "FindDerivedChanges"];
    assert_eq!(steps[steps.len() - 5..], derived);
    assert_eq!((counters.rows_written, counters.rows_removed, counters.rows_unchanged), (2, 1, 3));
}
