//! What operators ask of the quarantine, as statements take it, and what their answers mean.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use domain::{
    RejectionKind,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_COPY_EVENTS},
};

use super::stored::stored;
use crate::quarantine::{Origin, QuarantineCount, QuarantineFilter, RequestedReplay};

/// A filter as statements take it; `None` for what does not matter.
#[derive(Debug)]
#[expect(missing_docs, reason = "the conditions are those of the filter")]
pub struct QuarantineConditions<'a> {
    /// From the first path to the last one.
    pub origins: (String, String),
    pub line: Option<i64>,
    pub first_day: Option<NaiveDate>,
    pub last_day: Option<NaiveDate>,
    pub kind: Option<&'static str>,
    pub stage: Option<&'a str>,
    pub accepted: Option<bool>,
}

impl<'a> From<&'a QuarantineFilter> for QuarantineConditions<'a> {
    fn from(filter: &'a QuarantineFilter) -> Self {
        Self {
            origins: Origin::range(filter.origin.as_ref()),
            line: filter.line.map(stored),
            first_day: filter.days.map(|days| days.start()),
            last_day: filter.days.map(|days| days.end()),
            kind: filter.kind.map(RejectionKind::as_str),
            stage: filter.stage.as_deref(),
            accepted: filter.accepted,
        }
    }
}

/// Deliveries to load again: those to mark, and those that could be marked, because they were
/// loaded before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Exports, by path and the day on which they take effect.
    pub exports: BTreeSet<(String, NaiveDate)>,
    /// Event files, by path.
    pub event_files: BTreeSet<String>,
    /// Days of usage.
    pub days: BTreeSet<NaiveDate>,
}

impl Deliveries {
    /// The deliveries that groups of rows by file are from. A row of an export or a day whose
    /// day is unknown leads to none.
    #[must_use]
    pub fn of(found: &[QuarantineCount]) -> Self {
        let mut deliveries = Self::default();
        for QuarantineCount { stage, origin, business_date, .. } in found {
            match (stage.as_str(), origin, business_date) {
                (STAGE_COPY_CRM_CSV, Some(path), Some(on)) => {
                    deliveries.exports.insert((path.clone(), *on));
                }
                (STAGE_COPY_EVENTS, Some(path), _) => {
                    deliveries.event_files.insert(path.clone());
                }
                (STAGE_CALL_PRODUCT_API, _, Some(day)) => {
                    deliveries.days.insert(*day);
                }
                _ => {}
            }
        }
        deliveries
    }

    /// What was asked for with these groups, when `self` are the deliveries that were marked.
    #[must_use]
    pub fn requested(&self, found: Vec<QuarantineCount>) -> Vec<RequestedReplay> {
        let requested = found.into_iter().map(|group| {
            let marked = Self::of(std::slice::from_ref(&group));
            let was_loaded = !marked.exports.is_disjoint(&self.exports)
                || !marked.event_files.is_disjoint(&self.event_files)
                || !marked.days.is_disjoint(&self.days);
            let QuarantineCount { stage, origin, business_date, rows, .. } = group;
            RequestedReplay { stage, origin: origin.unwrap_or_default(), business_date, rows, was_loaded }
        });
        requested.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(stage: &str, origin: &str, day: Option<NaiveDate>) -> QuarantineCount {
        QuarantineCount {
            stage: stage.to_owned(),
            kind: None,
            origin: Some(origin.to_owned()),
            business_date: day,
            rows: 1,
        }
    }

    #[test]
    fn a_group_was_loaded_if_its_own_delivery_was_marked() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 2);
        let found = vec![
            group(STAGE_COPY_CRM_CSV, "a.csv", day),
            group(STAGE_COPY_CRM_CSV, "a.csv", None),
            group(STAGE_COPY_EVENTS, "e.ndjson", None),
            group(STAGE_CALL_PRODUCT_API, "usage.json", day),
            group("act_of_later", "x", day),
        ];
        let all = Deliveries::of(&found);
        assert_eq!((all.exports.len(), all.event_files.len(), all.days.len()), (1, 1, 1));
        let loaded = |marked: &Deliveries| -> Vec<bool> {
            marked.requested(found.clone()).iter().map(|asked| asked.was_loaded).collect()
        };
        assert_eq!(loaded(&all), [true, false, true, true, false]);
        assert_eq!(loaded(&Deliveries::default()), [false; 5]);
        let usage = Deliveries { exports: BTreeSet::new(), event_files: BTreeSet::new(), ..all };
        assert_eq!(loaded(&usage), [false, false, false, true, false]);
    }
}
