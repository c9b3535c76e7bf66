//! Any order of arrival: each order plays on its own warehouse.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use chrono::TimeDelta;
use domain::CrmCompany;
use warehouse_core::CrmExport;

use crate::{
    engine::EngineUnderTest,
    event_scene::{EventRun, Reported, assert_stored},
    reference::{ExpectedRow, Inputs},
    scene::{
        UsageOfDay, at, company, contacted, day, days, export, id, offset_of, publish_run, published,
        published_of,
    },
};

/// The days on which the exports take effect.
const EXPORTS: [i64; 3] = [0, 10, 20];

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// Published from before the first export to after the last.
const SPAN: (i64, i64) = (-3, 25);

fn companies(arrival: usize) -> Vec<CrmCompany> {
    let contacted = contacted(company("contacted", "Contacted"), at(0));
    let reported_from = |first: usize, name: &str| (arrival >= first).then(|| company(name, name));
    let reported_in = |exports: &[usize], name: &str| exports.contains(&arrival).then(|| company(name, name));
    let changing = company("changes", ["one", "two", "one"].get(arrival).unwrap());
    [
        Some(changing),
        (arrival != 1).then_some(contacted),
        Some(company("stays", "stays")),
        reported_from(1, "arrives"),
        reported_from(2, "arrives late"),
        reported_in(&[0, 2], "comes back"),
        reported_in(&[0], "leaves"),
        reported_in(&[1], "passes by"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn arrival(number: usize) -> (CrmExport, Vec<CrmCompany>) {
    (export(day(*EXPORTS.get(number).unwrap()), "1"), companies(number))
}

/// Users of companies inside and outside the CRM, before, between and after the exports.
fn usage() -> Vec<UsageOfDay<'static>> {
    vec![
        (day(-2), vec![("leaves", 3, 9), ("never in the CRM", 1, 1)]),
        (day(8), vec![("leaves", 2, 0), ("stays", 5, 7)]),
        (day(12), vec![("comes back", 1, 4)]),
    ]
}

/// The rows that the definition requires, without an engine.
fn expected() -> Vec<ExpectedRow> {
    let mut inputs = Inputs::default();
    for (number, on) in EXPORTS.iter().enumerate() {
        let reported = companies(number).into_iter().map(|company| (company.company_id.clone(), company));
        inputs.snapshots.insert(day(*on), reported.collect::<BTreeMap<_, _>>());
    }
    for (on, records) in usage() {
        for (company_id, active_users, events) in records {
            inputs.usage.insert((id(company_id), on), (active_users, events));
        }
    }
    inputs.fact(&days(SPAN.0, SPAN.1).days().collect::<BTreeSet<_>>())
}

async fn fact(warehouse: &EngineUnderTest) -> Vec<ExpectedRow> {
    published(warehouse, days(SPAN.0, SPAN.1)).await.iter().map(ExpectedRow::from).collect()
}

async fn days_of(warehouse: &EngineUnderTest, company_id: &str) -> Vec<i64> {
    published_of(warehouse, company_id, days(SPAN.0, SPAN.1)).await.iter().map(offset_of).collect()
}

/// Each export arrives in its own run, after everything is published.
pub async fn any_order_of_arrival_gives_the_same_companies<G, F: Future<Output = (G, EngineUnderTest)>>(
    open: impl Fn() -> F,
) {
    for order in ORDERS {
        let (_guard, warehouse) = open().await;
        publish_run(&warehouse, days(SPAN.0, SPAN.1), at(1), &[], &usage()).await;
        for (number, now) in order.into_iter().zip(2..) {
            publish_run(&warehouse, days(SPAN.1, SPAN.1), at(now), &[arrival(number)], &[]).await;
        }
        assert_eq!(fact(&warehouse).await, expected(), "{order:?}");
        assert_eq!(days_of(&warehouse, "arrives").await, (10..=25).collect::<Vec<_>>());
        assert_eq!(days_of(&warehouse, "passes by").await, (10..20).collect::<Vec<_>>());
        // In the CRM until the second export; then thirteen more days after its last
        // usage.
        assert_eq!(days_of(&warehouse, "leaves").await, (-3..=21).collect::<Vec<_>>());
        // Out of the CRM from day 10 on, but used on day 12.
        let back: Vec<i64> = (-3..10).chain(12..=25).collect();
        assert_eq!(days_of(&warehouse, "comes back").await, back);
    }
}

/// All exports arrive in one run, before anything is published.
pub async fn any_order_within_a_run_gives_the_same_companies<G, F: Future<Output = (G, EngineUnderTest)>>(
    open: impl Fn() -> F,
) {
    for order in ORDERS {
        let (_guard, warehouse) = open().await;
        let exports = order.map(arrival);
        publish_run(&warehouse, days(SPAN.0, SPAN.1), at(1), &exports, &usage()).await;
        assert_eq!(fact(&warehouse).await, expected(), "{order:?}");
    }
}

/// Usage arrives day by day, the last day first, around what is published.
pub async fn any_order_of_days_gives_the_same_fact<G, F: Future<Output = (G, EngineUnderTest)>>(
    open: impl Fn() -> F,
) {
    let (first, last) = (day(SPAN.0), day(SPAN.1));
    let mut orders = vec![usage(), usage()];
    if let Some(backwards) = orders.last_mut() {
        backwards.reverse();
    }
    for order in orders {
        let (_guard, warehouse) = open().await;
        let exports = [0, 1, 2].map(arrival);
        publish_run(&warehouse, days(10, 15), at(1), &exports, &[]).await;
        for (now, (on, records)) in (2..).zip(order) {
            // Published around what is loaded, not in its order.
            let window = domain::DateWindow::new(on, on + TimeDelta::days(3)).unwrap();
            publish_run(&warehouse, window, at(now), &[], &[(on, records)]).await;
        }
        let everything = domain::DateWindow::new(first, last).unwrap();
        publish_run(&warehouse, everything, at(9), &[], &[]).await;
        assert_eq!(fact(&warehouse).await, expected());
    }
}

/// Each file in its own run: the path decides, not the order of arrival.
pub async fn any_order_of_files_leaves_the_same_events<G, F: Future<Output = (G, EngineUnderTest)>>(
    open: impl Fn() -> F,
) {
    let files: [(&str, Vec<Reported<'_>>); 3] = [
        ("a.ndjson", vec![("acme", 0, "once", 1), ("acme", 0, "twice", 1), ("acme", 0, "back and forth", 1)]),
        ("b.ndjson", vec![("acme", 0, "twice", 2), ("acme", 0, "back and forth", 2), ("bolt", 40, "b", 5)]),
        ("c.ndjson", vec![("acme", 0, "back and forth", 1)]),
    ];
    for order in ORDERS {
        let (_guard, warehouse) = open().await;
        for (number, hour) in order.into_iter().zip(1..) {
            let (path, events) = files.get(number).unwrap();
            let run = EventRun::begin(&warehouse, hour).await;
            run.accept(path, "1", events).await;
            run.held.complete(&run.fence).await;
            run.held.finish().await.unwrap();
        }
        assert_stored(
            &warehouse,
            &[
                (("acme", 0, "back and forth", 1), "c.ndjson"),
                (("acme", 0, "once", 1), "a.ndjson"),
                (("acme", 0, "twice", 2), "b.ndjson"),
                (("bolt", 40, "b", 5), "b.ndjson"),
            ],
        )
        .await;
    }
}
