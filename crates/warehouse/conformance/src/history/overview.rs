//! What is read at a glance equals a fold over the rows that are listed.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{Days, NaiveDate};
use domain::{ChurnChange, DateWindow, DayTotals, FactRow, LastContact};
use proptest::prelude::*;
use warehouse_core::{
    ChurnCounts, ChurnCursor, ChurnQuery, CompanyOrder, CompanySearch, CompanyTraits, Error,
    inspection::LoggedPublication,
};

use super::extent::SPAN;
use crate::{
    engine::EngineUnderTest,
    scene::{day, days, published},
};

/// More rows than any day of a history has.
const ALL: u32 = 1_000;

/// Compares every published day in numbers, and the newest and a few others in every other way.
pub(super) async fn compare(warehouse: &EngineUnderTest, seed: i64) -> Result<(), TestCaseError> {
    let ever = days(-90, SPAN + 50);
    let mut by_day: BTreeMap<NaiveDate, Vec<FactRow>> = BTreeMap::new();
    for entry in warehouse.published_days(ever).await.unwrap() {
        by_day.insert(entry.activity_date, Vec::new());
    }
    for row in published(warehouse, ever).await {
        by_day.entry(row.key.activity_date).or_default().push(row);
    }
    totals(warehouse, ever, &by_day).await?;
    history(warehouse, day(seed % SPAN)).await?;
    let some = [seed, seed * 7 + 3, seed * 11 + 9].map(|offset| (day(offset % (SPAN + 2)), offset));
    let newest = by_day.keys().rev().take(2).map(|day| (*day, seed));
    for (on, offset) in newest.chain(some) {
        let rows = by_day.get(&on);
        let before = on.checked_sub_days(Days::new(1)).and_then(|before| by_day.get(&before));
        summary(warehouse, on, rows, before).await?;
        let nothing = Vec::new();
        let rows = rows.unwrap_or(&nothing);
        searches(warehouse, on, rows, offset).await?;
        if by_day.contains_key(&on) {
            changes(warehouse, on, rows, before).await?;
        }
    }
    Ok(())
}

/// The totals of every day are those of its rows.
async fn totals(
    warehouse: &EngineUnderTest,
    ever: DateWindow,
    by_day: &BTreeMap<NaiveDate, Vec<FactRow>>,
) -> Result<(), TestCaseError> {
    let found = warehouse.days_with_totals(ever).await.unwrap();
    let publications: Vec<_> = found.iter().map(|day| day.publication.clone()).collect();
    prop_assert_eq!(publications, warehouse.published_days(ever).await.unwrap());
    let found: Vec<_> = found.iter().map(|day| (day.publication.activity_date, day.totals)).collect();
    let sum = |rows: &Vec<FactRow>| {
        rows.iter().map(DayTotals::of_row).try_fold(DayTotals::default(), DayTotals::checked_add)
    };
    let expected: Vec<_> = by_day.iter().map(|(day, rows)| (*day, sum(rows))).collect();
    prop_assert_eq!(found, expected);
    Ok(())
}

/// The history of a day is what is on record of it, newest first, in pages of any size.
async fn history(warehouse: &EngineUnderTest, on: NaiveDate) -> Result<(), TestCaseError> {
    let window = DateWindow::day(on);
    let mut logged = warehouse.staging.logged_publications(window).await.unwrap();
    logged.reverse();
    let replaced = warehouse.staging.replaced_rows(window).await.unwrap();
    let expected = logged.into_iter().map(|LoggedPublication { published_at, run_id, row_count, .. }| {
        let rows = replaced.iter().filter(|row| row.replaced_at == published_at).count();
        (published_at, run_id, row_count, i64::try_from(rows).unwrap())
    });
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = warehouse.publications_of_day(on, before, 2).await.unwrap().entries;
        let Some(last) = page.last() else { break };
        before = Some(last.published_at);
        found.extend(page);
    }
    let newest = found.first().and_then(|entry| entry.left);
    let ledger = warehouse.published_days(window).await.unwrap().pop();
    prop_assert_eq!(newest, ledger.map(|entry| (entry.row_count, entry.checksum)));
    let found = found.into_iter().map(|entry| {
        (entry.published_at, entry.run_id, entry.left.map(|(rows, _)| rows), entry.replaced_rows)
    });
    prop_assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    Ok(())
}

/// The change of each company of a day.
fn change_of(row: &FactRow, before: Option<&Vec<FactRow>>) -> Option<ChurnChange> {
    let same = |other: &&FactRow| other.key.company_id == row.key.company_id;
    let was_at_risk = before.and_then(|rows| rows.iter().find(same)).is_some_and(|row| row.is_churn_risk);
    ChurnChange::between(was_at_risk, row.is_churn_risk)
}

/// A summary counts the rows of its day, each once in every way.
async fn summary(
    warehouse: &EngineUnderTest,
    on: NaiveDate,
    rows: Option<&Vec<FactRow>>,
    before: Option<&Vec<FactRow>>,
) -> Result<(), TestCaseError> {
    let found = warehouse.churn_summary(on).await.unwrap();
    let (Some(rows), Some(found)) = (rows, &found) else {
        prop_assert!(rows.is_none() && found.is_none(), "{:?} of {}", found, on);
        return Ok(());
    };
    let count = |is_in: &dyn Fn(&FactRow) -> bool| {
        let mut counts = ChurnCounts::default();
        for row in rows.iter().filter(|row| is_in(row)) {
            counts.companies += 1;
            counts.at_risk += i64::from(row.is_churn_risk);
            let change = before.and_then(|_| change_of(row, before));
            counts.new += i64::from(change == Some(ChurnChange::New));
            counts.recovered += i64::from(change == Some(ChurnChange::Recovered));
        }
        counts
    };
    prop_assert_eq!(found.is_previous_day_published, before.is_some());
    prop_assert_eq!(found.total, count(&|_| true));
    for (groups, value_of) in [
        (&found.by_country, (|row| row.country.clone()) as fn(&FactRow) -> Option<String>),
        (&found.by_industry, |row| row.industry_tag.clone()),
    ] {
        let mut expected: BTreeMap<String, ChurnCounts> = BTreeMap::new();
        for row in rows {
            let value = value_of(row).unwrap_or_default();
            expected.insert(value.clone(), count(&|row| value_of(row).unwrap_or_default() == value));
        }
        let mut expected: Vec<_> = expected.into_iter().collect();
        expected.sort_by_key(|(value, counts)| (Reverse((counts.at_risk, counts.companies)), value.clone()));
        prop_assert_eq!(groups, &expected);
    }
    let expected = LastContact::ALL
        .map(|group| (group, count(&|row| LastContact::of(row.days_since_last_contact) == group)));
    prop_assert_eq!(&found.by_last_contact[..], &expected[..]);
    Ok(())
}

/// A search finds the rows that meet its conditions, in its order, in pages of any size.
async fn searches(
    warehouse: &EngineUnderTest,
    on: NaiveDate,
    rows: &[FactRow],
    seed: i64,
) -> Result<(), TestCaseError> {
    let turn = usize::try_from(seed).unwrap();
    let words = [vec![], vec!["NAME 1"], vec!["o"], vec!["z", "e"], vec!["%"], vec!["_"]];
    let country = [None, Some("DE"), Some("")];
    let orders = [
        CompanyOrder::CompanyId,
        CompanyOrder::Name,
        CompanyOrder::Events,
        CompanyOrder::ActiveUsers7d,
        CompanyOrder::DaysSinceLastContact,
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let search = CompanySearch {
            day: on,
            words: words[(turn + number) % 6].iter().map(ToString::to_string).collect(),
            traits: CompanyTraits {
                country: country[(turn + number) % 3].map(str::to_owned),
                industry_tag: None,
            },
            only_churn_risks: (turn + number) % 4 == 3,
            order,
            descending: (turn / 2 + number) % 2 == 1,
            after: None,
        };
        let mut expected: Vec<_> = rows.iter().filter(|row| meets(&search, row)).cloned().collect();
        expected.sort_by_key(|row| sort_key(&search, row));
        if order == CompanyOrder::Name && search.descending {
            // Texts cannot be turned round in a key.
            expected.sort_by(|one, other| {
                let names = (other.company_name.is_some(), &other.company_name, &one.key);
                names.cmp(&(one.company_name.is_some(), &one.company_name, &other.key))
            });
        }
        if order == CompanyOrder::CompanyId && search.descending {
            expected.reverse();
        }
        let limit = u32::try_from(turn % 3 + 1).unwrap();
        let (mut found, mut next, mut total) = (Vec::new(), search.clone(), None);
        loop {
            let page = warehouse.search_companies(&next, limit).await.unwrap();
            prop_assert_eq!(page.total.is_some(), next.after.is_none());
            total = total.or(page.total);
            let Some(last) = page.rows.last() else { break };
            next.after = Some(last.key.company_id.clone());
            found.extend(page.rows);
        }
        prop_assert_eq!(total, Some(i64::try_from(expected.len()).unwrap()), "{:?}", &search);
        prop_assert_eq!(found, expected, "{:?}", &search);
    }
    Ok(())
}

fn meets(search: &CompanySearch, row: &FactRow) -> bool {
    let id = row.key.company_id.as_str().to_ascii_lowercase();
    let name = row.company_name.clone().unwrap_or_default().to_ascii_lowercase();
    let has = |word: &String| {
        let word = word.to_ascii_lowercase();
        id.contains(&word) || name.contains(&word)
    };
    search.words.iter().all(has)
        && search.traits.holds(row)
        && (row.is_churn_risk || !search.only_churn_risks)
}

/// Companies without a value come last, equal ones are ordered by company.
fn sort_key(search: &CompanySearch, row: &FactRow) -> (bool, String, i64, String) {
    let company = row.key.company_id.to_string();
    let turned = |number: i64| if search.descending { -number } else { number };
    match search.order {
        CompanyOrder::CompanyId => (false, String::new(), 0, company),
        CompanyOrder::Name => {
            (row.company_name.is_none(), row.company_name.clone().unwrap_or_default(), 0, company)
        }
        CompanyOrder::Events => (false, String::new(), turned(row.events), company),
        CompanyOrder::ActiveUsers7d => (false, String::new(), turned(row.active_users_7d), company),
        CompanyOrder::DaysSinceLastContact => {
            let days = row.days_since_last_contact;
            (days.is_none(), String::new(), turned(days.unwrap_or_default().into()), company)
        }
    }
}

/// Churn risks by their change are those of all rows that have changed so.
async fn changes(
    warehouse: &EngineUnderTest,
    on: NaiveDate,
    rows: &[FactRow],
    before: Option<&Vec<FactRow>>,
) -> Result<(), TestCaseError> {
    for change in [None, Some(ChurnChange::New), Some(ChurnChange::Still), Some(ChurnChange::Recovered)] {
        for country in [None, Some("DE"), Some("")] {
            let traits = CompanyTraits { country: country.map(str::to_owned), industry_tag: None };
            let mut query = ChurnQuery { change, traits, ..ChurnQuery::all(on, None) };
            let mut found = Vec::new();
            if change.is_some() && before.is_none() {
                let refused = warehouse.churn_risks(&query, ALL).await;
                prop_assert!(matches!(refused, Err(Error::Precondition(_))), "{:?}", refused);
                continue;
            }
            loop {
                let page = warehouse.churn_risks(&query, 2).await.unwrap().items;
                let Some(last) = page.last() else { break };
                query.after = Some(ChurnCursor {
                    last_event_date: last.last_event_date,
                    company_id: last.row.key.company_id.clone(),
                });
                found.extend(page);
            }
            let order = |risk: &warehouse_core::ChurnRisk| {
                (Reverse(risk.last_event_date), risk.row.key.company_id.clone())
            };
            prop_assert!(found.is_sorted_by_key(order), "{:?}", found);
            let mut found: Vec<_> = found.into_iter().map(|risk| risk.row).collect();
            found.sort_by(|one, other| one.key.cmp(&other.key));
            let is_asked = |row: &&FactRow| {
                let has_changed = match change {
                    None => row.is_churn_risk,
                    Some(_) => change_of(row, before) == change,
                };
                has_changed && query.traits.holds(row)
            };
            let expected: Vec<_> = rows.iter().filter(is_asked).cloned().collect();
            prop_assert_eq!(found, expected, "{:?} of {:?}", change, country);
        }
    }
    Ok(())
}
