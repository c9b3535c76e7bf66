use domain::{Concerns, CrmCompany, Rejection, RejectionLimit, RejectionReason, SourceRow};

use super::*;

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 2, number).unwrap()
}

/// The snapshots around the tenth: the day and the number of companies of each.
fn place(snapshots: &[(u32, u64)]) -> Neighbourhood {
    snapshots.iter().fold(Neighbourhood::default(), |place, (on, companies)| {
        place.with(day(10), Snapshot { on: day(*on), path: "b.csv".to_owned(), companies: *companies })
    })
}

fn export(path: &str) -> CrmExport {
    CrmExport {
        path: path.to_owned(),
        etag: "1".to_owned(),
        effective_on: day(10),
        bytes: 1,
        archive_path: None,
    }
}

fn judged(place: &Neighbourhood, path: &str, companies: u64) -> std::result::Result<(), String> {
    let limits = SnapshotLimits { max_shrink_share: 0.5, max_growth_factor: 10.0, ..SnapshotLimits::NONE };
    let named = NamedCompanies { readable: companies, all: companies };
    let judged = place.judge(&export(path), &Received::default(), named, limits);
    judged.map_err(|error| error.to_string())
}

#[test]
fn a_base_is_compared_with_its_neighbour_in_time() {
    for (snapshots, companies, problem) in [
        // The very first is accepted.
        (&[][..], 1_000_000, None),
        (&[(1, 4)], 2, None),
        (
            &[(1, 4)],
            1,
            Some(
                "1 companies, 75 % fewer than the 4 of the snapshot of 2026-02-01: more than the allowed 50 %;",
            ),
        ),
        // The nearest earlier one decides, whatever comes later.
        (&[(1, 1_000), (20, 10)], 900, None),
        (&[(1, 150), (20, 9_000)], 1_500, None),
        (
            &[(1, 150)],
            1_501,
            Some(
                "1501 companies, 10.0 times as many as the 150 of the snapshot of 2026-02-01: more than the allowed 10 times;",
            ),
        ),
        (&[(1, 1)], 100, None),
        // None is earlier, so the later one decides.
        (&[(20, 1_000)], 400, None),
        (
            &[(20, 1_000)],
            99,
            Some(
                "99 companies, and the snapshot after it, of 2026-02-20, has 1000, 10.1 times as many as it:",
            ),
        ),
        (
            &[(20, 1_000)],
            2_001,
            Some("2001 companies, and the snapshot after it, of 2026-02-20, has 1000, 50 % fewer than it:"),
        ),
        // The replaced snapshot is nearest.
        (
            &[(1, 4), (10, 8)],
            3,
            Some("3 companies, 62 % fewer than the 8 of the export that it replaces, of 2026-02-10:"),
        ),
        (&[(1, 1), (10, 8)], 4, None),
    ] {
        let judged = judged(&place(snapshots), "b.csv", companies);
        match problem {
            None => assert_eq!(judged, Ok(()), "{snapshots:?} {companies}"),
            Some(problem) => {
                let reported = judged.unwrap_err();
                assert!(reported.starts_with(&format!("b.csv: {problem}")), "{reported}");
                assert!(
                    reported.contains("raise --crm-max-") && reported.ends_with(" and retry the run"),
                    "{reported}"
                );
            }
        }
    }
}

#[test]
fn an_export_that_does_not_count_may_have_any_size() {
    assert_eq!(judged(&place(&[(1, 4), (10, 8)]), "a.csv", 1), Ok(()));
    judged(&place(&[(1, 4), (10, 8)]), "a.csv", 0).unwrap_err();
}

#[test]
fn an_export_that_cannot_be_read_is_refused_with_its_first_reasons() {
    let mut received = Received::default();
    for line in 2..8 {
        let reason = RejectionReason::Malformed(format!("bad {line}"));
        received.note::<CrmCompany>(&SourceRow::Rejected(Rejection::new(line, reason, "")));
    }
    assert!(received.may_lack_anyone);
    let refused = |readable, rejections| {
        let named = NamedCompanies { readable, all: 5 };
        let limits = SnapshotLimits { rejections, ..SnapshotLimits::NONE };
        let judged = Neighbourhood::default().judge(&export("b.csv"), &received, named, limits);
        judged.map_err(|error| error.to_string())
    };
    let reasons = "line 2: bad 2; line 3: bad 3; line 4: bad 4";
    assert_eq!(
        refused(0, RejectionLimit::NONE),
        Err(format!("b.csv: no valid company row: nothing of it was loaded: {reasons}"))
    );
    assert_eq!(refused(1, RejectionLimit::NONE), Ok(()));
}

#[test]
fn only_a_wholly_unreadable_row_may_be_anyones() {
    let concerning = |concerns| {
        let reason = RejectionReason::Malformed("bad".to_owned());
        let rejection = Rejection::new(2, reason, "").concerning(concerns);
        let mut received = Received::default();
        received.note::<CrmCompany>(&SourceRow::Rejected(rejection));
        received.may_lack_anyone
    };
    assert!(concerning(Concerns::Anyone));
    assert!(!concerning(Concerns::NoOne));
    let acme = domain::CompanyId::parse("acme").unwrap();
    assert!(!concerning(Concerns::Company(acme)));
}
