//! The table of cases.

use DifferenceKind::{CorrectedAtSource, DiffersHere, ExtraHere, LateAtSource, MissingHere, Quarantined};

use super::*;

fn some(active_users: i32, events: i64) -> Option<UsageNumbers> {
    Some(UsageNumbers { active_users, events })
}

const A: UsageNumbers = UsageNumbers { active_users: 1, events: 10 };
const B: UsageNumbers = UsageNumbers { active_users: 2, events: 20 };
const ZERO: UsageNumbers = UsageNumbers { active_users: 0, events: 0 };

/// A company-day on which everybody says A.
fn agreed() -> CompanyDay {
    CompanyDay {
        is_published: true,
        is_fetched: true,
        published: Some(A),
        staged: Some(A),
        waits: false,
        landed: Landed::Record(A),
        fresh: Fresh::Record(A),
    }
}

/// A company-day of which nobody has anything.
fn silent() -> CompanyDay {
    CompanyDay {
        published: Some(ZERO),
        staged: None,
        landed: Landed::Absent { of_anyone: 0 },
        fresh: Fresh::Absent { of_anyone: 0 },
        ..agreed()
    }
}

fn torn() -> String {
    "events: \"x\" is not an integer".to_owned()
}

/// Checks the kind, and a part of the sentence.
#[track_caller]
fn expect(day: CompanyDay, kind: DifferenceKind, words: &str) {
    let found = difference(&day).unwrap_or_else(|| panic!("no difference: {day:?}"));
    assert_eq!(found.kind(), kind, "{found}");
    assert!(found.to_string().contains(words), "{found}");
}

#[test]
fn equal_numbers_and_silence_on_both_sides_match() {
    for day in [
        agreed(),
        // What waits concerns other cells, or nothing in the end.
        CompanyDay { waits: true, ..agreed() },
        // The landed file may have been removed since.
        CompanyDay { landed: Landed::Unknown, ..agreed() },
        // Staging may have been forgotten since.
        CompanyDay { is_fetched: false, staged: None, landed: Landed::Unknown, ..agreed() },
        silent(),
        CompanyDay { published: None, ..silent() },
        CompanyDay { published: None, is_published: false, is_fetched: false, ..silent() },
        // A record of zeros that came or went changes no number.
        CompanyDay { staged: Some(ZERO), landed: Landed::Record(ZERO), ..silent() },
        CompanyDay { fresh: Fresh::Record(ZERO), ..silent() },
        // Nobody knows of a company that unreadable records may be of.
        CompanyDay { fresh: Fresh::Absent { of_anyone: 3 }, ..silent() },
    ] {
        assert_eq!(difference(&day), None, "{day:?}");
    }
}

#[test]
fn what_the_source_did_since_the_fetch_is_named() {
    let late = CompanyDay { fresh: Fresh::Record(A), ..silent() };
    expect(late.clone(), LateAtSource, "did not when the day was last fetched");
    expect(CompanyDay { published: None, ..late.clone() }, LateAtSource, "returns the record now");
    expect(CompanyDay { landed: Landed::Absent { of_anyone: 2 }, ..late.clone() }, LateAtSource, "one of 2");
    expect(CompanyDay { landed: Landed::Unknown, ..late.clone() }, LateAtSource, "cannot be told");
    // A load that removed the record has not been published.
    let taken = CompanyDay { published: Some(A), waits: true, landed: Landed::Unknown, ..late };
    expect(taken, LateAtSource, "cannot be told");

    let corrected = CompanyDay { fresh: Fresh::Record(B), ..agreed() };
    let words =
        "said active_users 1, events 10 when the day was last fetched, and says active_users 2, events 20";
    expect(corrected.clone(), CorrectedAtSource, words);
    expect(CompanyDay { landed: Landed::Unknown, ..corrected.clone() }, CorrectedAtSource, words);
    expect(CompanyDay { fresh: Fresh::Record(ZERO), ..corrected.clone() }, CorrectedAtSource, "events 0 now");
    // Whatever else was changed here, the source's correction is what a run has to load.
    expect(CompanyDay { published: None, staged: None, ..corrected }, CorrectedAtSource, words);

    let kept = CompanyDay { landed: Landed::Absent { of_anyone: 1 }, fresh: Fresh::Record(B), ..agreed() };
    expect(kept, CorrectedAtSource, "events 10 stayed when the day was last fetched");

    let gone = CompanyDay { fresh: Fresh::Absent { of_anyone: 0 }, ..agreed() };
    expect(gone.clone(), ExtraHere, "and no longer does");
    expect(CompanyDay { landed: Landed::Unknown, ..gone.clone() }, ExtraHere, "and no longer does");
    expect(CompanyDay { landed: Landed::Unreadable(torn()), ..gone }, ExtraHere, "could not be read");
}

#[test]
fn what_something_else_changed_here_is_named() {
    let changed = CompanyDay { published: Some(B), ..agreed() };
    expect(changed.clone(), DiffersHere, "something other than a run changed the row");
    expect(CompanyDay { published: None, ..changed }, MissingHere, "something other than a run removed it");
    expect(CompanyDay { published: some(7, 7), ..silent() }, ExtraHere, "something other than a run wrote");
    // Loading the day again would change none of these.
    let gone = CompanyDay { staged: None, fresh: Fresh::Absent { of_anyone: 0 }, ..agreed() };
    expect(gone.clone(), ExtraHere, "it is not staged either");
    expect(
        CompanyDay { landed: Landed::Record(ZERO), ..gone.clone() },
        ExtraHere,
        "and did not when the day was last fetched",
    );
    for landed in [Landed::Unknown, Landed::Unreadable(torn()), Landed::Absent { of_anyone: 1 }] {
        let day = CompanyDay { landed, ..gone.clone() };
        assert!(difference(&day).unwrap().needs_rebuild(), "{day:?}");
        expect(day, ExtraHere, "last fetched cannot be told");
    }
    let zeroed = CompanyDay { staged: Some(ZERO), landed: Landed::Record(ZERO), ..gone };
    expect(zeroed, ExtraHere, "something other than a run wrote");

    let unstaged = CompanyDay { staged: None, ..agreed() };
    expect(unstaged.clone(), MissingHere, "the next computation would lose it");
    expect(CompanyDay { published: Some(ZERO), ..unstaged }, MissingHere, "landed and is not staged");
    let restaged = CompanyDay { staged: Some(B), ..agreed() };
    expect(restaged.clone(), DiffersHere, "the next computation would publish that");
    expect(CompanyDay { published: Some(B), ..restaged }, DiffersHere, "which is not what landed");
    expect(
        CompanyDay { staged: Some(B), ..silent() },
        DiffersHere,
        "the next computation would publish that",
    );
}

#[test]
fn what_waits_to_be_published_is_no_fault() {
    let waits = CompanyDay { waits: true, published: Some(B), ..agreed() };
    expect(waits.clone(), DiffersHere, "active_users 1, events 10 is loaded and waits");
    expect(CompanyDay { published: None, ..waits.clone() }, DiffersHere, "waits for the next run");
    expect(
        CompanyDay { published: Some(B), waits: true, ..silent() },
        DiffersHere,
        "record is gone is loaded",
    );
}

#[test]
fn a_day_that_was_not_run_is_missing() {
    let open = CompanyDay { is_published: false, published: None, ..agreed() };
    expect(open.clone(), MissingHere, "the day is not published");
    expect(CompanyDay { is_fetched: false, staged: None, ..open.clone() }, MissingHere, "is not published");
    expect(CompanyDay { fresh: Fresh::Unreadable(torn()), ..open }, MissingHere, "is not published");
    let unfetched =
        CompanyDay { is_fetched: false, fresh: Fresh::Record(A), landed: Landed::Unknown, ..silent() };
    expect(unfetched, MissingHere, "was never fetched");
}

#[test]
fn an_unreadable_record_is_never_taken_for_zero() {
    let unreadable = CompanyDay { fresh: Fresh::Unreadable(torn()), ..agreed() };
    expect(unreadable.clone(), Quarantined, "cannot be read (events: \"x\" is not an integer)");
    let unknown = CompanyDay { fresh: Fresh::Unreadable(torn()), ..silent() };
    expect(unknown, Quarantined, "last known numbers stay");
    // A row that was changed besides is mended by a run, whatever the record says.
    expect(CompanyDay { published: Some(B), ..unreadable.clone() }, DiffersHere, "changed the row");
    expect(CompanyDay { published: Some(B), waits: true, ..unreadable }, DiffersHere, "waits");

    let mended = CompanyDay { landed: Landed::Unreadable(torn()), fresh: Fresh::Record(B), ..agreed() };
    expect(mended.clone(), Quarantined, "and can be now");
    expect(CompanyDay { published: Some(ZERO), staged: None, ..mended }, Quarantined, "and can be now");

    let of_anyone = CompanyDay { fresh: Fresh::Absent { of_anyone: 3 }, ..agreed() };
    expect(of_anyone.clone(), Quarantined, "3 of its records do not even show a company");
    expect(CompanyDay { published: Some(B), ..of_anyone }, DiffersHere, "changed the row");
}

#[test]
fn every_state_has_one_answer_and_equal_numbers_differ_only_beside_staging() {
    let numbers = [None, Some(ZERO), Some(A), Some(B)];
    let landed = [
        Landed::Record(A),
        Landed::Record(B),
        Landed::Record(ZERO),
        Landed::Unreadable(torn()),
        Landed::Absent { of_anyone: 0 },
        Landed::Absent { of_anyone: 1 },
        Landed::Unknown,
    ];
    let fresh = [
        Fresh::Record(A),
        Fresh::Record(ZERO),
        Fresh::Unreadable(torn()),
        Fresh::Absent { of_anyone: 0 },
        Fresh::Absent { of_anyone: 1 },
    ];
    for (published, staged) in numbers.iter().flat_map(|one| numbers.iter().map(move |two| (*one, *two))) {
        for (landed, fresh) in landed.iter().flat_map(|one| fresh.iter().map(move |two| (one, two))) {
            for (waits, is_fetched) in [(false, true), (true, true), (false, false), (true, false)] {
                let day = CompanyDay {
                    is_published: true,
                    is_fetched,
                    published,
                    staged,
                    waits,
                    landed: landed.clone(),
                    fresh: fresh.clone(),
                };
                let found = difference(&day);
                let is_equal = match fresh {
                    Fresh::Record(now) => published == Some(*now),
                    Fresh::Absent { of_anyone: 0 } => non_zero(published).is_none(),
                    Fresh::Absent { .. } | Fresh::Unreadable(_) => continue,
                };
                assert!(is_equal || found.is_some(), "{day:?}");
                let is_staged_so = is_published_as_staged(&day);
                assert!(!(is_equal && is_staged_so) || found.is_none(), "{found:?}: {day:?}");
            }
        }
    }
}

#[test]
fn only_what_something_other_than_a_run_changed_is_computed_anew() {
    let waits = CompanyDay { waits: true, published: Some(B), ..agreed() };
    let gone = CompanyDay { fresh: Fresh::Absent { of_anyone: 0 }, ..agreed() };
    for (day, needs_rebuild) in [
        (waits, false),
        (gone, false),
        (CompanyDay { is_published: false, published: None, ..agreed() }, false),
        (CompanyDay { is_fetched: false, fresh: Fresh::Record(A), ..silent() }, false),
        (CompanyDay { fresh: Fresh::Record(B), ..agreed() }, false),
        (CompanyDay { fresh: Fresh::Unreadable(torn()), ..agreed() }, false),
        (CompanyDay { published: Some(B), ..agreed() }, true),
        (CompanyDay { published: None, ..agreed() }, true),
        (CompanyDay { staged: Some(B), ..agreed() }, true),
        (CompanyDay { staged: None, ..agreed() }, true),
        (CompanyDay { published: some(7, 7), ..silent() }, true),
    ] {
        assert_eq!(difference(&day).unwrap().needs_rebuild(), needs_rebuild, "{day:?}");
    }
}
