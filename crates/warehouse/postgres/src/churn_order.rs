//! The order of churn risks, so that each of their pages costs its own rows.
//!
//! No index has this order: a company's last event is in the row of another day, and one
//! that is reported late moves all risks after it without a change to their own rows. To
//! find it takes a look for each risk of the day. So that is done once for each version of
//! the rows, not for each page.

use std::{
    cmp::Reverse,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::NaiveDate;
use warehouse_core::{ChurnCursor, ChurnQuery, RowsVersion};

/// The most risks that are kept, of all orders: some 10 MB.
const MOST_RISKS: usize = 200_000;

/// The most orders that are kept.
const MOST_ORDERS: usize = 32;

/// Where a risk stands: what a page starts after.
type Position = ChurnCursor;

/// The risks of one query, the most recently active first, those never active last.
#[derive(Debug)]
pub(crate) struct ChurnOrder(Vec<Position>);

impl ChurnOrder {
    pub(crate) fn of(mut risks: Vec<Position>) -> Self {
        risks.sort_unstable_by(|one, other| sort_key(one).cmp(&sort_key(other)));
        Self(risks)
    }

    /// Up to `limit` risks after one.
    pub(crate) fn page(&self, after: Option<&Position>, limit: u32) -> &[Position] {
        let start = after.map_or(0, |after| self.0.partition_point(|risk| sort_key(risk) <= sort_key(after)));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        &self.0[start..start.saturating_add(limit).min(self.0.len())]
    }
}

/// `None` is less than any day.
fn sort_key(risk: &Position) -> (Reverse<Option<NaiveDate>>, &str) {
    (Reverse(risk.last_event_date), risk.company_id.as_str())
}

/// The orders that were asked for last.
#[derive(Debug, Default)]
pub(crate) struct ChurnOrders(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    query: ChurnQuery,
    rows: RowsVersion,
    order: Arc<ChurnOrder>,
}

impl Kept {
    /// Whether it is the order of that query, wherever its page starts.
    fn is_of(&self, query: &ChurnQuery) -> bool {
        let ChurnQuery { day, change, traits, after: _ } = query;
        (self.query.day, self.query.change, &self.query.traits) == (*day, *change, traits)
    }
}

impl ChurnOrders {
    /// The order of a query, if it is that of these rows.
    pub(crate) fn get(&self, query: &ChurnQuery, rows: RowsVersion) -> Option<Arc<ChurnOrder>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|one| one.is_of(query) && one.rows == rows)?;
        // The last is forgotten last.
        kept[found..].rotate_left(1);
        kept.last().map(|one| Arc::clone(&one.order))
    }

    /// Keeps the order of a query instead of the one that other rows had.
    pub(crate) fn keep(&self, query: &ChurnQuery, rows: RowsVersion, order: ChurnOrder) -> Arc<ChurnOrder> {
        let order = Arc::new(order);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| !one.is_of(query));
        kept.push(Kept {
            query: ChurnQuery { after: None, ..query.clone() },
            rows,
            order: Arc::clone(&order),
        });
        while kept.len() > MOST_ORDERS || kept.iter().map(|one| one.order.0.len()).sum::<usize>() > MOST_RISKS
        {
            kept.remove(0);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use domain::CompanyId;

    use super::*;

    fn day(number: usize) -> NaiveDate {
        NaiveDate::default() + chrono::Days::new(u64::try_from(number).unwrap())
    }

    fn risk(company_id: &str, last: Option<usize>) -> Position {
        Position { company_id: CompanyId::parse(company_id).unwrap(), last_event_date: last.map(day) }
    }

    fn all(number: usize) -> ChurnQuery {
        ChurnQuery::all(day(number), None)
    }

    fn version(checksums: i64) -> RowsVersion {
        RowsVersion { days: 1, checksums }
    }

    #[test]
    fn a_page_starts_after_its_cursor_even_if_there_is_no_such_risk() {
        let order =
            ChurnOrder::of(vec![risk("b", Some(1)), risk("a", None), risk("c", Some(3)), risk("a", Some(1))]);
        let all = [risk("c", Some(3)), risk("a", Some(1)), risk("b", Some(1)), risk("a", None)];
        assert_eq!(order.page(None, 9), all);
        assert_eq!(order.page(Some(&all[0]), 2), &all[1..3]);
        assert_eq!(order.page(Some(&risk("z", Some(2))), 9), &all[1..]);
        assert_eq!(order.page(Some(&risk("b", Some(1))), 9), &all[3..]);
        assert!(order.page(Some(&all[3]), 9).is_empty());
    }

    #[test]
    fn an_order_is_found_for_its_own_rows_only() {
        let orders = ChurnOrders::default();
        orders.keep(&all(1), version(1), ChurnOrder::of(vec![]));
        assert!(orders.get(&all(1), version(1)).is_some());
        assert!(orders.get(&all(1), version(2)).is_none());
        assert!(orders.get(&all(2), version(1)).is_none());
        let new = ChurnQuery { change: Some(domain::ChurnChange::New), ..all(1) };
        assert!(orders.get(&new, version(1)).is_none());
        orders.keep(&new, version(1), ChurnOrder::of(vec![]));
        assert!(orders.get(&new, version(1)).is_some() && orders.get(&all(1), version(1)).is_some());
        orders.keep(&all(1), version(2), ChurnOrder::of(vec![]));
        assert!(orders.get(&all(1), version(1)).is_none());
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_asked_for_stays() {
        let orders = ChurnOrders::default();
        for number in 0..MOST_ORDERS {
            orders.keep(&all(number), version(1), ChurnOrder::of(vec![]));
        }
        assert!(orders.get(&all(0), version(1)).is_some());
        orders.keep(&all(MOST_ORDERS), version(1), ChurnOrder::of(vec![]));
        assert!(orders.get(&all(0), version(1)).is_some());
        assert!(orders.get(&all(1), version(1)).is_none());
        let half = || ChurnOrder::of(vec![risk("a", None); MOST_RISKS / 2]);
        for number in [100, 101, 102] {
            orders.keep(&all(number), version(1), half());
        }
        assert!(orders.get(&all(100), version(1)).is_none());
        assert!(orders.get(&all(101), version(1)).is_some() && orders.get(&all(102), version(1)).is_some());
        let whole = orders.keep(&all(103), version(1), ChurnOrder::of(vec![risk("a", None); MOST_RISKS + 1]));
        assert_eq!(whole.page(None, u32::MAX).len(), MOST_RISKS + 1);
        assert!(orders.get(&all(103), version(1)).is_none());
    }
}
