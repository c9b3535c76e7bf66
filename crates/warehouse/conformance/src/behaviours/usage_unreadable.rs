//! What an answer of the product API lacks removes nothing that is known, unless the
//! loss is accepted.

use std::ops::Range;

use domain::{Concerns, Counters};

use crate::{
    engine::EngineUnderTest,
    observed::{Observed, observe},
    scene::{UsageOfDay, at, day, days, publish_run, published, published_of, records},
    usage_scene::{
        accepted_silence, fetched, fetching_run, loaded, publish, refusal, strict, unreadable, unreadable_of,
    },
};

/// The counters of loaded `readable` records with `rejected` ones beside them.
fn beside(rejected: u64, readable: Counters) -> Counters {
    Counters { rows_read: readable.rows_read + rejected, rows_rejected: rejected, ..readable }
}

/// The published users and events of companies on a day.
async fn reported(warehouse: &EngineUnderTest, offset: i64) -> Vec<(String, i32, i64)> {
    let rows = published(warehouse, days(offset, offset)).await;
    rows.into_iter()
        .map(|row| (row.key.company_id.as_str().to_owned(), row.active_users, row.events))
        .collect()
}

fn of(company_id: &str, active_users: i32, events: i64) -> (String, i32, i64) {
    (company_id.to_owned(), active_users, events)
}

/// Three companies on the first day, published.
async fn three_companies(warehouse: &EngineUnderTest) {
    let known = vec![("acme", 2, 8), ("bolt", 1, 1), ("core", 5, 5)];
    publish_run(warehouse, days(0, 3), at(1), &[], &[(day(0), known)]).await;
}

/// The company's staged usage stays, and the others follow the answer.
pub async fn an_unreadable_record_leaves_what_is_known(warehouse: EngineUnderTest) {
    three_companies(&warehouse).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let rows = [records(day(0), &[("acme", 3, 9)]), vec![unreadable_of(2, "bolt")]].concat();
    let counters = run.load_usage(&fence, day(0), rows).await.unwrap().counters;
    assert_eq!(counters, beside(1, loaded(1, 0, 1)));
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), [fetched(&run, 0, 2)]);
    let quarantine = warehouse.staging.quarantined_rows(None, 10).await.unwrap();
    assert_eq!(quarantine.iter().map(|row| row.line).collect::<Vec<_>>(), [2]);
    publish(&run, &fence).await;
    assert_eq!(reported(&warehouse, 0).await, [of("acme", 3, 9), of("bolt", 1, 1)]);
}

/// A wholly unreadable record does not add its company.
pub async fn a_new_company_that_cannot_be_read_stays_unknown(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let rows = || [records(day(0), &[("acme", 1, 1)]), vec![unreadable_of(2, "unheard of")]].concat();
    let counters = run.load_usage(&fence, day(0), rows()).await.unwrap().counters;
    assert_eq!(counters, beside(1, loaded(1, 0, 0)));
    let again = run.load_usage(&fence, day(0), rows()).await.unwrap().counters;
    assert_eq!(again, beside(1, loaded(0, 1, 0)));
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), [fetched(&run, 0, 1)]);
    publish(&run, &fence).await;
    assert_eq!(published_of(&warehouse, "unheard of", days(0, 3)).await, []);
}

/// A record that may concern anyone keeps every company that the answer does not name;
/// one that concerns no company keeps none.
pub async fn a_record_that_may_be_anyones_removes_nobody(warehouse: EngineUnderTest) {
    three_companies(&warehouse).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let answer = |concerns| [records(day(0), &[("acme", 2, 9)]), vec![unreadable(7, concerns)]].concat();
    let counters = run.load_usage(&fence, day(0), answer(Concerns::Anyone)).await.unwrap().counters;
    assert_eq!(counters, beside(1, loaded(1, 0, 0)));
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), [fetched(&run, 0, 3)]);
    let counters = run.load_usage(&fence, day(0), answer(Concerns::NoOne)).await.unwrap().counters;
    assert_eq!(counters, beside(1, loaded(0, 1, 2)));
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), [fetched(&run, 0, 1)]);
}

/// The last informative record counts; each is counted once.
pub async fn a_readable_record_beside_an_unreadable_one_counts(warehouse: EngineUnderTest) {
    three_companies(&warehouse).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let mut rows =
        records(day(0), &[("acme", 3, 3), ("bolt", 4, 4), ("core", 5, 5), ("bolt", 6, 6), ("core", 5, 5)]);
    rows.insert(0, unreadable_of(10, "acme"));
    rows.extend([unreadable_of(11, "bolt"), unreadable_of(12, "core"), unreadable_of(13, "core")]);
    rows.extend([unreadable_of(14, "zed"), unreadable_of(15, "zed")]);
    let counters = run.load_usage(&fence, day(0), rows).await.unwrap().counters;
    // Six unreadable ones, and the record of bolt that a later one contradicts.
    let expected = Counters { rows_read: 11, rows_rejected: 7, rows_duplicate: 1, ..loaded(2, 1, 0) };
    assert_eq!(counters, expected);
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), [fetched(&run, 0, 3)]);
    publish(&run, &fence).await;
    assert_eq!(reported(&warehouse, 0).await, [of("acme", 3, 3), of("bolt", 6, 6), of("core", 5, 5)]);
}

/// What readers see, without the quarantine.
fn without_quarantine(observed: Observed) -> Observed {
    Observed { quarantine: vec![], ..observed }
}

/// Nothing of it is loaded; its rejected records are in quarantine, and the first ones
/// are named.
pub async fn an_answer_of_which_too_much_is_rejected_is_refused(warehouse: EngineUnderTest) {
    three_companies(&warehouse).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let before = observe(&warehouse).await;
    let torn = (10..14).map(|line| unreadable_of(line, "bolt"));
    let rows = records(day(0), &[("acme", 9, 9), ("acme", 9, 8)]).into_iter().chain(torn).collect();
    let problem = refusal(run.load_usage_within(&fence, day(0), strict(), rows).await);
    for part in ["2026-01-01", "4 of 6 rows", "line 10: torn; line 11: torn; line 12: torn"] {
        assert!(problem.contains(part), "{part:?} is not in {problem}");
    }
    let after = observe(&warehouse).await;
    let reported: Vec<_> = after.quarantine.iter().map(|row| (row.line, row.run_id)).collect();
    assert_eq!(reported, [1, 10, 11, 12, 13].map(|line| (line, run.run.run_id)));
    assert_eq!(without_quarantine(after), without_quarantine(before));

    // The next answer for the day replaces the quarantined records, too.
    let rows = records(day(0), &[("acme", 2, 8), ("bolt", 1, 1), ("core", 5, 5)]);
    let counters = run.load_usage_within(&fence, day(0), strict(), rows).await.unwrap().counters;
    assert_eq!(counters, loaded(0, 3, 0));
    assert_eq!(warehouse.staging.quarantined_rows(None, 10).await.unwrap(), []);
    assert_eq!(publish(&run, &fence).await.counters, Counters::default());
}

/// An answer without a readable record is meaningless, however short it is.
pub async fn an_answer_without_a_readable_record_is_refused(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let rows = || vec![unreadable_of(1, "acme"), unreadable(2, Concerns::NoOne)];
    let problem = refusal(run.load_usage_within(&fence, day(0), strict(), rows()).await);
    assert!(problem.contains("none of its 2 records can be read: line 1: torn"), "{problem}");
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), []);
    assert_eq!(warehouse.staging.quarantined_rows(None, 10).await.unwrap().len(), 2);
    let counters = run.load_usage_within(&fence, day(0), accepted_silence(), rows()).await.unwrap().counters;
    assert_eq!(counters, beside(2, loaded(0, 0, 0)));
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), [fetched(&run, 0, 0)]);
}

/// A known day is emptied only if a person accepts it.
pub async fn an_accepted_empty_answer_empties_a_known_day(warehouse: EngineUnderTest) {
    three_companies(&warehouse).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let before = observe(&warehouse).await;
    let problem = refusal(run.load_usage_within(&fence, day(0), strict(), vec![]).await);
    assert!(problem.contains("no record for 2026-01-01, which had 3 before"), "{problem}");
    assert_eq!(observe(&warehouse).await, before);
    let counters = run.load_usage_within(&fence, day(0), accepted_silence(), vec![]).await.unwrap().counters;
    assert_eq!(counters, loaded(0, 0, 3));
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), [fetched(&run, 0, 0)]);
    // The day is now known as empty.
    let counters = run.load_usage_within(&fence, day(0), strict(), vec![]).await.unwrap().counters;
    assert_eq!(counters, loaded(0, 0, 0));
}

/// Days with one record each, from one offset to another.
fn full(offsets: Range<i64>) -> Vec<UsageOfDay<'static>> {
    offsets.map(|on| (day(on), vec![("acme", 1, 1)])).collect()
}

/// After a week of days with records, an empty day does not count as quiet.
pub async fn an_empty_answer_after_a_week_of_usage_is_refused(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 3), at(1), &[], &full(0..7)).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let before = observe(&warehouse).await;
    for unusual in [7, 14] {
        let problem = refusal(run.load_usage_within(&fence, day(unusual), strict(), vec![]).await);
        assert!(problem.contains("each of the 7 days known before it"), "{problem}");
    }
    assert_eq!(observe(&warehouse).await, before);
    // Six of the days are near enough, which does not make a habit.
    run.load_usage_within(&fence, day(15), strict(), vec![]).await.unwrap();
    run.load_usage_within(&fence, day(7), accepted_silence(), vec![]).await.unwrap();
    // One quiet day breaks the habit.
    run.load_usage_within(&fence, day(8), strict(), vec![]).await.unwrap();
    let known = warehouse.usage_days(days(7, 20)).await.unwrap();
    assert_eq!(known, [7, 8, 15].map(|on| fetched(&run, on, 0)));
}

/// Companies up to the hundredth, named by number.
fn numbered(from: usize) -> Vec<String> {
    (from..100).map(|number| format!("c{number:02}")).collect()
}

fn of_each(companies: &[String]) -> Vec<(&str, i32, i64)> {
    companies.iter().map(|company_id| (company_id.as_str(), 1, 1)).collect()
}

/// A day that lost much is refused, unless a person accepts it; a few records may go.
pub async fn a_day_that_lost_too_much_is_refused(warehouse: EngineUnderTest) {
    let all = numbered(0);
    let (run, fence) = fetching_run(&warehouse, 1).await;
    run.load_usage(&fence, day(0), records(day(0), &of_each(&all))).await.unwrap();
    let answer = |from| records(day(0), &of_each(&numbered(from)));
    let before = observe(&warehouse).await;
    let problem = refusal(run.load_usage_within(&fence, day(0), strict(), answer(6)).await);
    assert!(problem.contains("lacks 6 of 100 records"), "{problem}");
    assert_eq!(observe(&warehouse).await, before);

    // Unreadable records are not lost, and if one may concern anyone, none is.
    let unread = [answer(6), vec![unreadable_of(200, "c05")]].concat();
    let counters = run.load_usage_within(&fence, day(0), strict(), unread).await.unwrap().counters;
    assert_eq!(counters, beside(1, loaded(0, 94, 5)));
    let anyones = [answer(50), vec![unreadable(200, Concerns::Anyone)]].concat();
    let counters = run.load_usage_within(&fence, day(0), strict(), anyones).await.unwrap().counters;
    assert_eq!(counters, beside(1, loaded(0, 50, 0)));

    let counters = run.load_usage_within(&fence, day(0), strict(), answer(7)).await.unwrap().counters;
    assert_eq!(counters, loaded(0, 93, 2));
    let counters =
        run.load_usage_within(&fence, day(0), accepted_silence(), answer(50)).await.unwrap().counters;
    assert_eq!(counters, loaded(0, 50, 43));
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), [fetched(&run, 0, 50)]);
}

/// Loading the same answer again writes, removes and publishes nothing.
pub async fn an_unreadable_answer_loaded_again_changes_nothing(warehouse: EngineUnderTest) {
    three_companies(&warehouse).await;
    let rows = || {
        let readable = records(day(0), &[("acme", 3, 9), ("zed", 1, 1)]);
        [readable, vec![unreadable_of(3, "bolt"), unreadable(4, Concerns::Anyone)]].concat()
    };
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let counters = run.load_usage(&fence, day(0), rows()).await.unwrap().counters;
    assert_eq!(counters, beside(2, loaded(2, 0, 0)));
    publish(&run, &fence).await;
    let before = observe(&warehouse).await;
    let (run, fence) = fetching_run(&warehouse, 3).await;
    let counters = run.load_usage(&fence, day(0), rows()).await.unwrap().counters;
    assert_eq!(counters, beside(2, loaded(0, 2, 0)));
    assert_eq!(publish(&run, &fence).await.counters, Counters::default());
    let after = observe(&warehouse).await;
    assert_eq!((after.rows, after.quarantine), (before.rows, before.quarantine));
    assert_eq!(after.usage_days, [fetched(&run, 0, 4)]);
}
