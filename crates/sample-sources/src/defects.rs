//! What goes wrong in the sources, and how often.

use chrono::{Days, NaiveDate};
use rand::{Rng, RngExt as _, seq::IndexedRandom as _};

use crate::day_range::DayRange;

/// How often sources misbehave: shares from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DefectRates {
    /// Usage records that appear one to three days late. Default 0.015.
    pub late_records: f64,
    /// Usage records whose values change one or two days later. Default 0.01.
    pub corrected_records: f64,
    /// Usage records that are withdrawn one to three days later. Default 0.002.
    pub withdrawn_records: f64,
    /// Usage records that the API returns twice, identically. Default 0.001.
    pub repeated_records: f64,
    /// Usage records that break the contract. Default 0.001.
    pub bad_records: f64,
    /// Companies for which someone makes a second, broken CRM entry at some time; it is
    /// a bad row of every export until it is cleaned up. Default 0.03.
    pub bad_crm_entries: f64,
}

impl DefectRates {
    /// Flawless sources: each day is final and valid from the start.
    pub const NONE: Self = Self {
        late_records: 0.0,
        corrected_records: 0.0,
        withdrawn_records: 0.0,
        repeated_records: 0.0,
        bad_records: 0.0,
        bad_crm_entries: 0.0,
    };
}

impl Default for DefectRates {
    fn default() -> Self {
        Self {
            late_records: 0.015,
            corrected_records: 0.01,
            withdrawn_records: 0.002,
            repeated_records: 0.001,
            bad_records: 0.001,
            bad_crm_entries: 0.03,
        }
    }
}

/// Whether an event with this rate happens. Shares outside 0 to 1 mean never and always.
pub(crate) fn happens(rate: f64, rng: &mut impl Rng) -> bool {
    rng.random::<f64>() < rate
}

/// How a usage record breaks the API's contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageDefect {
    /// `events` is below zero.
    NegativeCount,
    /// `date` is 1970-01-01.
    DateOutsideWindow,
    /// `active_users` is missing.
    MissingField,
}

impl UsageDefect {
    pub(crate) fn draw(rate: f64, rng: &mut impl Rng) -> Option<Self> {
        const KINDS: [UsageDefect; 3] =
            [UsageDefect::NegativeCount, UsageDefect::DateOutsideWindow, UsageDefect::MissingField];
        if happens(rate, rng) { KINDS.choose(rng).copied() } else { None }
    }
}

/// How a row of a CRM export is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CrmDefect {
    /// `company_id` is empty: a lead that is not a company yet.
    EmptyCompanyId,
    /// `last_contact_at` is not a timestamp: typed by hand.
    BadTimestamp,
    /// Too few fields, and no `company_id` among them: a row that lacks only its last
    /// fields is not broken.
    RaggedRow,
}

/// A broken second entry for a company, until someone cleans it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadCrmEntry {
    pub(crate) defect: CrmDefect,
    pub(crate) days: DayRange,
}

impl BadCrmEntry {
    /// Draws an entry that begins within the first `days` days of the world.
    pub(crate) fn draw(rate: f64, first_day: NaiveDate, days: u32, rng: &mut impl Rng) -> Option<Self> {
        const KINDS: [CrmDefect; 3] =
            [CrmDefect::EmptyCompanyId, CrmDefect::BadTimestamp, CrmDefect::RaggedRow];
        if !happens(rate, rng) {
            return None;
        }
        let begins = u64::from(rng.random_range(0..days.max(1)));
        let lasts = rng.random_range(2..=10);
        let day = |offset| first_day.checked_add_days(Days::new(offset)).unwrap_or(NaiveDate::MAX);
        let days = DayRange { from: day(begins), until: day(begins + lasts) };
        KINDS.choose(rng).map(|defect| Self { defect: *defect, days })
    }
}
