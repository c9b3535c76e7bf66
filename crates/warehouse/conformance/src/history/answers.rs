//! Answers of the product API in a history, with some unreadable records.

use std::collections::BTreeMap;

use domain::{Concerns, SourceRow, UsageRecord};
use proptest::prelude::*;

use super::extent::{COMPANIES, SPAN};
use crate::{
    scene::{day, records},
    usage_scene::{unreadable, unreadable_of},
};

/// The product API's answer for a day.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) on: i64,
    companies: Vec<Option<Reported>>,
    /// After the companies: a record that may concern anyone, or one that concerns no
    /// one.
    torn: Option<bool>,
}

/// How a company appears.
#[derive(Debug, Clone, Copy)]
enum Reported {
    Numbers(i32, i64),
    Nothing,
}

/// Users and events of each company.
pub(super) fn numbers() -> impl Strategy<Value = (i32, i64)> {
    (0..4_i32, 0..3_i64)
}

pub(super) fn answers() -> impl Strategy<Value = Answer> {
    let reported = prop_oneof![
        6 => numbers().prop_map(|(active_users, events)| Reported::Numbers(active_users, events)),
        1 => Just(Reported::Nothing),
    ];
    let torn = prop_oneof![5 => Just(None), 1 => any::<bool>().prop_map(Some)];
    (0..SPAN, prop::collection::vec(prop::option::of(reported), COMPANIES.len()), torn)
        .prop_map(|(on, companies, torn)| Answer { on, companies, torn })
}

impl Answer {
    /// The same answer as it is once everything in it can be read.
    pub(super) fn mended(&self) -> Self {
        let companies = self.companies.iter().map(|reported| match reported {
            Some(Reported::Nothing) => Some(Reported::Numbers(1, 2)),
            readable => *readable,
        });
        Self { companies: companies.collect(), torn: None, on: self.on }
    }

    /// Whether everything in it can be read.
    pub(super) fn is_readable(&self) -> bool {
        let mut companies = self.companies.iter().flatten();
        self.torn.is_none() && companies.all(|reported| matches!(reported, Reported::Numbers(..)))
    }

    pub(super) fn rows(&self) -> Vec<SourceRow<UsageRecord>> {
        let reported: BTreeMap<&str, Reported> = COMPANIES
            .into_iter()
            .zip(&self.companies)
            .filter_map(|(name, reported)| Some((name, (*reported)?)))
            .collect();
        let readable: Vec<_> = reported
            .iter()
            .filter_map(|(name, reported)| match reported {
                Reported::Numbers(active_users, events) => Some((*name, *active_users, *events)),
                Reported::Nothing => None,
            })
            .collect();
        let unread = reported.iter().filter(|(_, reported)| matches!(reported, Reported::Nothing));
        let unread = (50..).zip(unread).map(|(line, (name, _))| unreadable_of(line, name));
        let torn =
            self.torn.map(|anyones| unreadable(99, if anyones { Concerns::Anyone } else { Concerns::NoOne }));
        records(day(self.on), &readable).into_iter().chain(unread).chain(torn).collect()
    }
}
