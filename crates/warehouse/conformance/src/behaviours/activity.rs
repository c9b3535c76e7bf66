//! Reading: pages, exports, roll-ups, churn, freshness.

use domain::{DateWindow, FactKey, FactRow, Publication, run::STAGE_COPY_CRM_CSV};
use futures::TryStreamExt;
use warehouse_core::{
    ActivityQuery, ChurnCursor, ChurnQuery, ChurnRisk, Freshness, Listing, Period, RollUp, RunQuery,
};

use crate::engine::EngineUnderTest;
use crate::scene::{
    UsageOfDay, at, checksum_of, company, day, days, export, hold_run, id, publish_run, published,
    published_of,
};

/// Five companies, one of them outside the CRM, over ten days.
async fn publish_ten_days(warehouse: &EngineUnderTest) {
    let companies = ["007", "acme", "bolt", "Zed"].map(|name| company(name, name)).to_vec();
    let usage: Vec<UsageOfDay<'_>> =
        vec![(day(4), vec![("acme", 2, 8), ("ghost", 1, 1)]), (day(5), vec![("Zed", 1, 1)])];
    publish_run(warehouse, days(0, 9), at(1), &[(export(day(0), "1"), companies)], &usage).await;
}

fn query(company_id: Option<&str>, window: DateWindow, after: Option<FactKey>) -> ActivityQuery {
    ActivityQuery { company_id: company_id.map(id), window, after, as_of: None }
}

/// All rows of a query, page by page.
async fn pages(warehouse: &EngineUnderTest, mut query: ActivityQuery, limit: u32) -> Vec<FactRow> {
    let mut rows = vec![];
    loop {
        let page = warehouse.fact_rows(&query, limit).await.unwrap().rows;
        assert!(page.len() <= usize::try_from(limit).unwrap());
        let Some(last) = page.last() else { return rows };
        query.after = Some(last.key.clone());
        rows.extend(page);
    }
}

async fn exported(warehouse: &EngineUnderTest, query: &ActivityQuery) -> Vec<FactRow> {
    warehouse.export_facts(query).await.unwrap().rows().try_collect().await.unwrap()
}

/// Whatever the page size, the pages equal the export: by company, then day.
pub async fn pages_and_export_agree(warehouse: EngineUnderTest) {
    publish_ten_days(&warehouse).await;
    for window in [days(0, 9), days(3, 6), days(4, 4), days(7, 30), days(-5, 0)] {
        for company_id in [None, Some("acme"), Some("ghost"), Some("unknown")] {
            let query = query(company_id, window, None);
            let rows = exported(&warehouse, &query).await;
            let inside = |row: &FactRow| {
                window.contains(row.key.activity_date)
                    && company_id.is_none_or(|wanted| row.key.company_id.as_str() == wanted)
            };
            let mut expected = published(&warehouse, days(0, 9)).await;
            expected.retain(inside);
            assert_eq!(rows, expected, "{query:?}");
            assert!(rows.is_sorted_by(|one, next| one.key < next.key), "{query:?}");
            for limit in [1, 3, 7, 1_000] {
                assert_eq!(pages(&warehouse, query.clone(), limit).await, rows, "{limit} of {query:?}");
            }
        }
    }
    // Four companies on ten days, and ghost from its first use on.
    assert_eq!(published(&warehouse, days(0, 9)).await.len(), 46);
}

/// A page starts after its key, even if there is no such row, or no such day in the window.
pub async fn a_page_starts_after_any_key(warehouse: EngineUnderTest) {
    publish_ten_days(&warehouse).await;
    for window in [days(0, 9), days(3, 6), days(5, 5)] {
        let all = published(&warehouse, window).await;
        for company_id in ["0", "acme", "acme 2", "ghost", "zzz"] {
            for on in [-9, 0, 4, 5, 6, 20] {
                let key = FactKey { company_id: id(company_id), activity_date: day(on) };
                let expected: Vec<_> = all.iter().filter(|row| row.key > key).cloned().collect();
                let query = query(None, window, Some(key));
                assert_eq!(exported(&warehouse, &query).await, expected, "{query:?}");
                assert_eq!(warehouse.fact_rows(&query, 1_000).await.unwrap().rows, expected, "{query:?}");
            }
        }
    }
}

/// Every answer names the newest publication of its days.
pub async fn an_answer_reports_its_newest_publication(warehouse: EngineUnderTest) {
    publish_ten_days(&warehouse).await;
    let run = hold_run(&warehouse, days(10, 10), at(2)).await;
    run.ingest(&[], &[(day(9), vec![("acme", 1, 1)])]).await;
    run.build().await;
    run.publish().await;
    let newest = |window: DateWindow| {
        let warehouse = &warehouse;
        async move {
            let query = query(Some("acme"), window, None);
            let of_page = warehouse.fact_rows(&query, 1).await.unwrap().state.newest().cloned();
            let of_export = warehouse.export_facts(&query).await.unwrap().state.newest().cloned();
            let (_, of_roll_up) = warehouse.roll_up(&id("acme"), window, Period::Week).await.unwrap();
            assert_eq!(of_page, of_export);
            assert_eq!(of_page, of_roll_up);
            of_page.map(|publication| (publication.activity_date, publication.published_at))
        }
    };
    assert_eq!(newest(days(0, 8)).await, Some((day(8), at(1))));
    assert_eq!(newest(days(0, 9)).await, Some((day(9), at(2))));
    assert_eq!(newest(days(0, 30)).await, Some((day(10), at(2))));
    assert_eq!(newest(days(11, 30)).await, None);
}

/// The version of a list's rows changes with the rows of its days, and with nothing else.
/// Churn risks are read from all days through theirs.
pub async fn a_list_names_the_version_of_its_rows(warehouse: EngineUnderTest) {
    publish_ten_days(&warehouse).await;
    let versions = async || {
        let mut versions = vec![];
        for window in [days(0, 3), days(4, 9)] {
            for limit in [1, 1_000] {
                versions
                    .push(warehouse.fact_rows(&query(None, window, None), limit).await.unwrap().state.rows);
            }
        }
        for on in [3, 9] {
            let query = ChurnQuery::all(day(on), None);
            versions.push(warehouse.churn_risks(&query, 1).await.unwrap().rows);
        }
        versions
    };
    let before = versions().await;
    assert!(before[0] == before[1] && before[2] == before[3] && before[0] != before[2], "{before:?}");
    // Another day, and the same days with equal rows.
    publish_run(&warehouse, days(10, 10), at(2), &[], &[]).await;
    publish_run(&warehouse, days(0, 9), at(3), &[], &[]).await;
    assert_eq!(versions().await, before);
    // One row of day 2, and with it the sums of the week from there.
    let run = hold_run(&warehouse, days(11, 11), at(4)).await;
    run.ingest(&[], &[(day(2), vec![("bolt", 1, 1)])]).await;
    run.build().await;
    run.publish().await;
    let after = versions().await;
    assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{before:?}, {after:?}");
}

/// A row and the publication of its day; nothing for a day or a company without one.
pub async fn a_row_is_found_by_its_key(warehouse: EngineUnderTest) {
    publish_ten_days(&warehouse).await;
    let find = async |company_id: &str, on: i64| {
        let key = FactKey { company_id: id(company_id), activity_date: day(on) };
        warehouse.fact_row(&key).await.unwrap()
    };
    let run = warehouse.runs(&RunQuery::default(), 1).await.unwrap().swap_remove(0);
    let (row, publication) = find("acme", 4).await.unwrap();
    assert_eq!(published_of(&warehouse, "acme", days(4, 4)).await, [row]);
    let expected = Publication {
        activity_date: day(4),
        run_id: run.run_id.to_string(),
        published_at: at(1),
        row_count: 5,
        checksum: Ok(checksum_of(&warehouse, day(4)).await),
    };
    assert_eq!(publication, expected);
    for (company_id, on) in [("acme", 10), ("ghost", 3), ("unknown", 4), ("ACME", 4)] {
        assert_eq!(find(company_id, on).await, None, "{company_id} on day {on}");
    }
}

/// An export that began before a publish ends with the data published before it.
pub async fn an_export_sees_one_state_while_a_publish_goes_on(warehouse: EngineUnderTest) {
    // More rows than any stream buffers.
    let companies: Vec<_> = (0..500).map(|number| company(&format!("c{number:03}"), "before")).collect();
    let renamed = companies.iter().cloned().map(|mut company| {
        company.attributes.name = None;
        company
    });
    let (first, second) = (export(day(0), "1"), export(day(0), "2"));
    publish_run(&warehouse, days(0, 29), at(1), &[(first, companies.clone())], &[]).await;
    let before = published(&warehouse, days(0, 29)).await;
    assert_eq!(before.len(), 15_000);

    let export = warehouse.export_facts(&query(None, days(0, 29), None)).await.unwrap();
    let publication = export.state.newest().cloned();
    let mut exported = export.rows();
    let first_row = exported.try_next().await.unwrap();
    let outcome = publish_run(&warehouse, days(0, 30), at(2), &[(second, renamed.collect())], &[]).await;
    assert_eq!(outcome.counters.rows_written, 15_500);
    let mut rows: Vec<FactRow> = first_row.into_iter().collect();
    rows.extend(exported.try_collect::<Vec<_>>().await.unwrap());
    assert!(rows == before, "the export mixes two states");
    assert_eq!(publication.map(|publication| publication.published_at), Some(at(1)));

    let after = published(&warehouse, days(0, 29)).await;
    assert!(after.iter().all(|row| row.company_name.is_none() && row.loaded_at == at(2)));
}

/// Slow readers block no one, and readers that disconnect leave nothing behind.
pub async fn open_exports_do_not_keep_others_waiting(warehouse: EngineUnderTest) {
    // More rows than any stream buffers.
    let companies: Vec<_> = (0..300).map(|number| company(&format!("c{number:03}"), "name")).collect();
    publish_run(&warehouse, days(0, 9), at(1), &[(export(day(0), "1"), companies)], &[]).await;
    for _ in 0..3 {
        let mut open = vec![];
        for _ in 0..8 {
            let mut rows = warehouse.export_facts(&query(None, days(0, 9), None)).await.unwrap().rows();
            assert!(rows.try_next().await.unwrap().is_some());
            open.push(rows);
        }
        let run = hold_run(&warehouse, days(9, 9), at(2)).await;
        let fence = run.begin(STAGE_COPY_CRM_CSV).await;
        warehouse.check_fence(&fence).await.unwrap();
        assert!(warehouse.freshness().await.unwrap().is_some());
        run.cancel().await;
    }
}

/// ISO weeks begin on Monday; the periods at both ends count only the requested days.
pub async fn roll_ups_follow_weeks_and_months(warehouse: EngineUnderTest) {
    let acme = vec![company("acme", "Acme")];
    // 2026-01-01 is a Thursday: day 4 is the first Monday, day 31 the first of February.
    let usage: Vec<UsageOfDay<'_>> = [(1, 2, 3), (3, 1, 0), (4, 5, 7), (10, 1, 1), (30, 1, 2), (31, 4, 8)]
        .map(|(on, users, events)| (day(on), vec![("acme", users, events), ("bolt", 1, 1)]))
        .to_vec();
    publish_run(&warehouse, days(0, 40), at(1), &[(export(day(0), "1"), acme)], &usage).await;
    let roll_up = async |window, period| {
        let (periods, publication) = warehouse.roll_up(&id("acme"), window, period).await.unwrap();
        assert!(publication.is_some());
        periods
    };
    let period = |start, days, (user_days, events, active_days), is_churn_risk_at_end| RollUp {
        period_start: day(start),
        days,
        user_days,
        events,
        active_days,
        is_churn_risk_at_end,
    };
    let weeks = [
        period(-3, 4, (3, 3, 1), false),
        period(4, 7, (6, 8, 2), false),
        period(11, 7, (0, 0, 0), false),
        period(18, 7, (0, 0, 0), true),
        period(25, 5, (0, 0, 0), true),
    ];
    assert_eq!(roll_up(days(0, 29), Period::Week).await, weeks);
    assert_eq!(roll_up(days(4, 10), Period::Week).await, [period(4, 7, (6, 8, 2), false)]);
    assert_eq!(
        roll_up(days(3, 4), Period::Week).await,
        [period(-3, 1, (1, 0, 0), false), period(4, 1, (5, 7, 1), false)]
    );
    let months = [period(0, 29, (8, 10, 3), false), period(31, 10, (4, 8, 1), false)];
    assert_eq!(roll_up(days(2, 60), Period::Month).await, months);
    assert_eq!(roll_up(days(2, 24), Period::Month).await, [period(0, 23, (7, 8, 2), true)]);

    let unknown = warehouse.roll_up(&id("unknown"), days(0, 40), Period::Week).await.unwrap();
    assert_eq!(unknown.0, []);
    let unpublished = warehouse.roll_up(&id("acme"), days(41, 60), Period::Week).await.unwrap();
    assert_eq!(unpublished, (vec![], None));
}

/// The most recently active first, then by company; never active ones last.
pub async fn churn_risks_come_most_recently_active_first(warehouse: EngineUnderTest) {
    let companies = ["active", "new b", "early", "new a", "late b", "late a", "silent"];
    let crm = (export(day(0), "1"), companies.map(|name| company(name, name)).to_vec());
    let usage: Vec<UsageOfDay<'_>> = vec![
        (day(1), vec![("early", 1, 1), ("late a", 1, 1)]),
        (day(3), vec![("late b", 1, 1), ("late a", 1, 1), ("silent", 5, 0)]),
        (day(10), vec![("active", 1, 1)]),
    ];
    publish_run(&warehouse, days(0, 20), at(1), &[crm], &usage).await;
    let read = async |on: i64, after: Option<ChurnCursor>, limit| {
        warehouse.churn_risks(&ChurnQuery::all(day(on), after), limit).await.unwrap()
    };
    let Listing { items: risks, publication, .. } = read(20, None, 100).await;
    let reported: Vec<_> =
        risks.iter().map(|risk| (risk.row.key.company_id.as_str(), risk.last_event_date)).collect();
    let expected = [
        ("late a", Some(day(3))),
        ("late b", Some(day(3))),
        ("early", Some(day(1))),
        ("new a", None),
        ("new b", None),
        ("silent", None),
    ];
    assert_eq!(reported, expected);
    assert_eq!(publication.map(|publication| publication.activity_date), Some(day(20)));
    let rows = published(&warehouse, days(20, 20)).await;
    assert!(risks.iter().all(|risk| rows.contains(&risk.row)));

    for limit in [1, 2, 4] {
        let (mut paged, mut after) = (Vec::<ChurnRisk>::new(), None);
        loop {
            let page = read(20, after, limit).await.items;
            assert!(page.len() <= usize::try_from(limit).unwrap());
            let Some(last) = page.last() else { break };
            let (last_event_date, company_id) = (last.last_event_date, last.row.key.company_id.clone());
            after = Some(ChurnCursor { last_event_date, company_id });
            paged.extend(page);
        }
        assert_eq!(paged, risks, "in pages of {limit}");
    }
    // A day in the past ignores what came later.
    let past = read(0, None, 100).await.items;
    assert_eq!(past.len(), 7);
    assert!(past.iter().all(|risk| risk.last_event_date.is_none()));
    let unpublished = read(21, None, 100).await;
    assert_eq!((unpublished.items, unpublished.publication), (vec![], None));

    // A day that is reported late moves a company, though its own row stays as it was.
    publish_run(&warehouse, days(20, 20), at(2), &[], &[(day(5), vec![("early", 1, 1)])]).await;
    let moved = read(20, None, 1).await.items.swap_remove(0);
    assert_eq!((moved.row.key.company_id.as_str(), moved.last_event_date), ("early", Some(day(5))));
    let before = &risks[2].row;
    assert_eq!((&moved.row, before.key.company_id.as_str()), (before, "early"));
}

/// The newest published day, and the number of published days, not counting gaps.
pub async fn freshness_reports_the_newest_day(warehouse: EngineUnderTest) {
    assert_eq!(warehouse.freshness().await.unwrap(), None);
    publish_ten_days(&warehouse).await;
    publish_run(&warehouse, days(-4, -3), at(2), &[], &[]).await;
    let run = warehouse.runs(&RunQuery::default(), 2).await.unwrap().swap_remove(1);
    let newest = Publication {
        activity_date: day(9),
        run_id: run.run_id.to_string(),
        published_at: at(1),
        row_count: 5,
        checksum: Ok(checksum_of(&warehouse, day(9)).await),
    };
    let expected = Freshness { newest, oldest: day(-4), published_days: 12 };
    assert_eq!(warehouse.freshness().await.unwrap(), Some(expected));
}
