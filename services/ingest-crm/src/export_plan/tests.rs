use chrono::DateTime;
use domain::date_window::parse_day;

use super::*;

fn day(text: &str) -> NaiveDate {
    parse_day(text).unwrap()
}

fn file(path: &str, etag: &str) -> FileInfo {
    FileInfo { path: path.to_owned(), etag: etag.to_owned(), size: 5, modified: DateTime::UNIX_EPOCH }
}

fn files(paths: &[&str]) -> Vec<FileInfo> {
    paths.iter().map(|path| file(path, "1")).collect()
}

/// A warehouse that knows none of them.
fn nothing(exports: &Exports) -> CrmDays {
    CrmDays { decided: vec![None; exports.undated().len()], ..CrmDays::default() }
}

fn exports(files: Vec<FileInfo>, same_day: SameDay) -> Exports {
    Exports::of(files, &DaySource::Path, 0, same_day)
}

/// The plan of a run over one day with nothing loaded yet.
fn plan(paths: &[&str], same_day: SameDay, business_date: &str) -> Plan<CrmExport> {
    let exports = exports(files(paths), same_day);
    let days = nothing(&exports);
    let window = DateWindow::day(day(business_date));
    let settled = exports.settle(&days, window);
    let all: Vec<usize> = (0..settled.exports().len()).collect();
    settled.plan(&all, None, window, same_day)
}

fn loaded(plan: &Plan<CrmExport>) -> Vec<(String, String)> {
    plan.units.iter().map(|unit| (unit.name(), unit.about.effective_on.to_string())).collect()
}

fn on(paths: &[(&str, &str)]) -> Vec<(String, String)> {
    paths.iter().map(|(path, on)| ((*path).to_owned(), (*on).to_owned())).collect()
}

#[test]
fn several_files_of_a_day_are_refused_with_the_way_out_and_the_others_loaded() {
    let plan = plan(
        &["2026-02-01_part-0.csv", "2026-02-01_part-1.csv", "2026-02-02.csv"],
        SameDay::Refuse,
        "2026-02-10",
    );
    assert_eq!(loaded(&plan), on(&[("2026-02-02.csv", "2026-02-02")]));
    let refused = &plan.refused[0];
    assert_eq!((plan.refused.len(), refused.files), (1, 2));
    for part in [
        "2026-02-01_part-0.csv, 2026-02-01_part-1.csv would all take effect on 2026-02-01: ",
        "remove or rename all but one",
        "--crm-parts",
        "--crm-same-day last",
    ] {
        assert!(refused.problem.contains(part), "{part:?} is not in {}", refused.problem);
    }
}

#[test]
fn files_of_a_day_that_are_all_loaded_are_no_matter_any_more() {
    let exports = exports(files(&["a_2026-02-01.csv", "b_2026-02-01.csv"]), SameDay::Refuse);
    let days = nothing(&exports);
    let window = DateWindow::day(day("2026-02-10"));
    let plan = exports.settle(&days, window).plan(&[], Some(day("2026-02-01")), window, SameDay::Refuse);
    assert_eq!(plan, Plan { units: vec![], refused: vec![], passed_over: vec![], remarks: vec![] });
}

#[test]
fn the_last_path_of_a_day_counts_where_that_is_wanted_and_is_reported() {
    let plan =
        plan(&["2026-02-01/a.csv", "2026-02-01/b.csv", "c_2026-02-02.csv"], SameDay::Last, "2026-02-10");
    assert_eq!(loaded(&plan), on(&[("2026-02-01/b.csv", "2026-02-01"), ("c_2026-02-02.csv", "2026-02-02")]));
    assert_eq!(plan.remarks, ["of 2 exports for 2026-02-01 2026-02-01/b.csv counts: its path sorts last"]);

    // Once that one is loaded, the other is neither read nor reported again.
    let exports = exports(files(&["2026-02-01/a.csv", "2026-02-01/b.csv"]), SameDay::Last);
    let days = nothing(&exports);
    let window = DateWindow::day(day("2026-02-10"));
    let plan = exports.settle(&days, window).plan(&[0], None, window, SameDay::Last);
    assert_eq!((plan.units, plan.refused, plan.remarks), (vec![], vec![], Vec::<String>::new()));
    // If somebody asked for it, that is answered.
    let passed_over: Vec<&str> = plan.passed_over.iter().map(|export| export.path.as_str()).collect();
    assert_eq!(passed_over, ["2026-02-01/a.csv"]);
}

#[test]
fn parts_are_one_export_with_an_identity_of_all_of_them() {
    let of = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, etag)| file(path, etag)).collect();
        let exports = exports(files, SameDay::Parts);
        let days = nothing(&exports);
        let settled = exports.settle(&days, DateWindow::day(day("2026-02-10")));
        settled.exports()
    };
    let [two] = of(&[("2026-02-01/0.csv", "1"), ("2026-02-01/1.csv", "1")]).try_into().unwrap();
    assert_eq!((two.path.as_str(), two.bytes), ("2026-02-01/1.csv", 10));
    // A part that arrives later, or changes, makes another export, which replaces the first.
    for other in [
        vec![("2026-02-01/0.csv", "1"), ("2026-02-01/1.csv", "1"), ("2026-02-01/2.csv", "1")],
        vec![("2026-02-01/0.csv", "1"), ("2026-02-01/00.csv", "1"), ("2026-02-01/1.csv", "1")],
        vec![("2026-02-01/0.csv", "2"), ("2026-02-01/1.csv", "1")],
    ] {
        let [other] = of(&other).try_into().unwrap();
        assert_ne!(other.etag, two.etag);
        assert!(other.path >= two.path, "{other:?}");
    }
    // A missing part removes nothing: the path that sorts last determined the export.
    let [rest] = of(&[("2026-02-01/0.csv", "1")]).try_into().unwrap();
    assert!(rest.path < two.path);
    // A single file keeps its own entity tag.
    assert_eq!(rest.etag, "1");
}

#[test]
fn parts_of_different_days_are_different_exports() {
    let plan = plan(
        &["dt=2026-02-01/0.csv", "dt=2026-02-01/1.csv", "dt=2026-02-02/0.csv"],
        SameDay::Parts,
        "2026-02-10",
    );
    assert_eq!(
        loaded(&plan),
        on(&[("dt=2026-02-01/0.csv and 1 more part", "2026-02-01"), ("dt=2026-02-02/0.csv", "2026-02-02"),])
    );
}

#[test]
fn an_undated_export_counts_from_the_day_of_the_first_run_and_is_reported() {
    let plan = plan(&["companies.csv"], SameDay::Refuse, "2026-02-10");
    assert_eq!(loaded(&plan), on(&[("companies.csv", "2026-02-10")]));
    let [remark] = plan.remarks.try_into().unwrap();
    for part in [
        "companies.csv has no date in its path",
        "2026-02-10",
        "--crm-date-pattern",
        "--crm-date-from modified",
    ] {
        assert!(remark.contains(part), "{part:?} is not in {remark}");
    }
}

#[test]
fn an_undated_export_that_is_known_keeps_its_day_and_a_new_one_rewrites_no_history() {
    let exports = exports(files(&["companies.csv", "later.csv"]), SameDay::Refuse);
    let days = CrmDays {
        decided: vec![Some(day("2026-02-01")), None],
        first_snapshot: Some(day("2026-02-01")),
        newest: Some(day("2026-02-08")),
    };
    // An old day is run again.
    let window = DateWindow::day(day("2026-02-03"));
    let settled = exports.settle(&days, window);
    let reported: Vec<_> = settled.exports().iter().map(|export| export.effective_on).collect();
    assert_eq!(reported, [day("2026-02-01"), day("2026-02-08")]);
    let plan = settled.plan(&[1], days.first_snapshot, window, SameDay::Refuse);
    assert_eq!(loaded(&plan), on(&[("later.csv", "2026-02-08")]));
}

#[test]
fn several_undated_exports_at_a_time_are_refused_as_such() {
    let plan = plan(&["feb 1.csv", "feb 2.csv"], SameDay::Refuse, "2026-02-10");
    assert_eq!(plan.units, []);
    let problem = &plan.refused[0].problem;
    for part in ["they have no date in their paths", "--crm-date-pattern", "--crm-date-from modified"] {
        assert!(problem.contains(part), "{part:?} is not in {problem}");
    }
}

#[test]
fn a_date_that_there_is_not_is_refused_with_the_way_out() {
    let plan = plan(&["c_2026-02-30.csv", "c_2026-02-28.csv"], SameDay::Refuse, "2026-03-10");
    assert_eq!(loaded(&plan), on(&[("c_2026-02-28.csv", "2026-02-28")]));
    let problem = &plan.refused[0].problem;
    assert!(
        problem.starts_with("c_2026-02-30.csv: 2026-02-30 in its path is no day of the calendar"),
        "{problem}"
    );
    assert!(problem.contains("rename it"), "{problem}");
}

#[test]
fn days_before_the_first_export_are_reported() {
    let exports = exports(files(&["companies_2026-02-05.csv"]), SameDay::Refuse);
    let days = nothing(&exports);
    let window = DateWindow::new(day("2026-02-01"), day("2026-02-08")).unwrap();
    let plan = exports.settle(&days, window).plan(&[0], None, window, SameDay::Refuse);
    assert_eq!(
        plan.remarks,
        ["no CRM export takes effect before 2026-02-05: the days before it show the companies of that one"]
    );
}

#[test]
fn ten_thousand_files_are_planned_at_once() {
    let paths: Vec<String> = (0..10_000)
        .map(|number| {
            (day("2000-01-01") + chrono::TimeDelta::days(number)).format("%Y/%m/%d/companies.csv").to_string()
        })
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let plan = plan(&paths, SameDay::Refuse, "2027-02-10");
    assert_eq!((plan.units.len(), plan.refused.len(), plan.remarks.len()), (10_000, 0, 0));
}
