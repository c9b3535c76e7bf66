//! A company's character: drawn once, kept for the life of the world.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rand::{Rng, RngExt as _};

use crate::{
    company_name::{Country, Trade, draw_name},
    day_range::DayRange,
    defects::{BadCrmEntry, DefectRates, happens},
    random_stream::{Purpose, RandomStreams},
    usage_curve::UsageCurve,
};

/// One company of a world.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CompanyProfile {
    /// Its position in the world, from 0; also the order of the identifiers.
    pub(crate) index: u64,
    pub(crate) company_id: String,
    /// Its CRM entry; `None` if it never gets one.
    pub(crate) crm: Option<CrmEntry>,
    /// How it uses the product; `None` if it never does.
    pub(crate) usage: Option<UsageCurve>,
}

/// A company as sales knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CrmEntry {
    /// The days on which the exports include it.
    pub(crate) days: DayRange,
    pub(crate) name: String,
    /// A new name, from this day on.
    pub(crate) renamed: Option<(NaiveDate, String)>,
    pub(crate) country: &'static str,
    pub(crate) industry_tag: Option<&'static str>,
    /// `None` if nobody ever talks to the company.
    pub(crate) contacts: Option<ContactRhythm>,
    pub(crate) bad_entry: Option<BadCrmEntry>,
}

/// When sales talks to a company: once in every interval, at a random time in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContactRhythm {
    pub(crate) first_interval: NaiveDate,
    pub(crate) interval_days: i64,
    pub(crate) notation: TimestampNotation,
}

/// How a timestamp is written; a CRM that several tools feed has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampNotation {
    /// `2026-01-10T23:59:59Z`
    Utc,
    /// `2026-01-10T18:59:59-05:00`, with this offset.
    Offset { hours: i32 },
    /// `2026-01-10 23:59:59`, meaning UTC.
    WithoutZone,
}

/// The company's life at the start of the world, and how it goes on.
enum LifeStory {
    /// A customer throughout, and in the CRM.
    Customer,
    /// Becomes a customer and enters the CRM on some day.
    Joins,
    /// Stops using the product, but stays in the CRM.
    Churns,
    /// Stops using the product, and leaves the CRM some days later.
    Leaves,
    /// In the CRM, but never uses the product.
    Prospect,
    /// Uses the product, but is never in the CRM.
    SelfService,
}

impl LifeStory {
    fn draw(rng: &mut impl Rng) -> Self {
        match rng.random_range(0..100) {
            0..10 => Self::Joins,
            10..20 => Self::Churns,
            20..24 => Self::Leaves,
            24..34 => Self::Prospect,
            34..39 => Self::SelfService,
            _ => Self::Customer,
        }
    }
}

/// The world for which a profile is drawn.
pub(crate) struct Scene<'a> {
    pub(crate) first_day: NaiveDate,
    pub(crate) days: u32,
    pub(crate) defects: &'a DefectRates,
}

impl Scene<'_> {
    fn day(&self, offset: u64) -> NaiveDate {
        self.first_day.checked_add_days(Days::new(offset)).unwrap_or(NaiveDate::MAX)
    }

    /// A day of the world on which something may change; not its first.
    fn turning_point(&self, rng: &mut impl Rng) -> NaiveDate {
        self.day(u64::from(rng.random_range(1..self.days.max(2))))
    }
}

impl CompanyProfile {
    /// The `index`th company of a world.
    pub(crate) fn draw(index: u64, scene: &Scene<'_>, rng: &mut impl Rng) -> Self {
        let story = LifeStory::draw(rng);
        let turn = scene.turning_point(rng);
        let until_turn = DayRange { until: turn, ..DayRange::ALWAYS };
        let from_turn = DayRange { from: turn, ..DayRange::ALWAYS };
        let cleaned_up = turn.checked_add_days(Days::new(rng.random_range(2..15))).unwrap_or(NaiveDate::MAX);
        let (crm_days, usage_days) = match story {
            LifeStory::Customer => (Some(DayRange::ALWAYS), Some(DayRange::ALWAYS)),
            LifeStory::Joins => (Some(from_turn), Some(from_turn)),
            LifeStory::Churns => (Some(DayRange::ALWAYS), Some(until_turn)),
            LifeStory::Leaves => (Some(DayRange { until: cleaned_up, ..DayRange::ALWAYS }), Some(until_turn)),
            LifeStory::Prospect => (Some(DayRange::ALWAYS), None),
            LifeStory::SelfService => (None, Some(DayRange::ALWAYS)),
        };
        Self {
            index,
            // Leading zeros are part of an identifier, and preserve the order.
            company_id: format!("{:06}", index + 1),
            crm: crm_days.map(|days| CrmEntry::draw(days, scene, rng)),
            usage: usage_days.map(|days| UsageCurve::draw(days, matches!(story, LifeStory::Joins), rng)),
        }
    }
}

impl CrmEntry {
    fn draw(days: DayRange, scene: &Scene<'_>, rng: &mut impl Rng) -> Self {
        let country = Country::draw(rng);
        let trade = Trade::draw(rng);
        let name = draw_name(country, trade, rng);
        let renamed = happens(0.02, rng).then(|| (scene.turning_point(rng), draw_name(country, trade, rng)));
        Self {
            days,
            name,
            renamed,
            country: country.code,
            industry_tag: (!happens(0.05, rng)).then_some(trade.industry_tag),
            contacts: (!happens(0.08, rng)).then(|| ContactRhythm::draw(scene.first_day, rng)),
            bad_entry: BadCrmEntry::draw(scene.defects.bad_crm_entries, scene.first_day, scene.days, rng),
        }
    }

    /// The name on `day`.
    pub(crate) fn name_on(&self, day: NaiveDate) -> &str {
        match &self.renamed {
            Some((from, name)) if *from <= day => name,
            _ => &self.name,
        }
    }
}

impl ContactRhythm {
    fn draw(first_day: NaiveDate, rng: &mut impl Rng) -> Self {
        let notation = match rng.random_range(0..10) {
            0 => TimestampNotation::WithoutZone,
            1 => TimestampNotation::Offset { hours: -5 },
            2 => TimestampNotation::Offset { hours: 2 },
            _ => TimestampNotation::Utc,
        };
        let before = Days::new(rng.random_range(0..180));
        Self {
            first_interval: first_day.checked_sub_days(before).unwrap_or(first_day),
            interval_days: rng.random_range(3..90),
            notation,
        }
    }

    /// The most recent contact by the end of `day`, if there was any yet.
    pub(crate) fn last_contact(
        &self,
        company: u64,
        day: NaiveDate,
        streams: RandomStreams,
    ) -> Option<DateTime<Utc>> {
        let interval = (day - self.first_interval).num_days().div_euclid(self.interval_days);
        // This interval's contact may still lie ahead.
        [interval, interval - 1].into_iter().filter(|at| *at >= 0).find_map(|at| {
            let contact = self.contact_in(at, company, streams)?;
            (contact.date_naive() <= day).then_some(contact)
        })
    }

    fn contact_in(&self, interval: i64, company: u64, streams: RandomStreams) -> Option<DateTime<Utc>> {
        let mut rng = streams.stream(Purpose::Contact, company, interval);
        let day = interval * self.interval_days + rng.random_range(0..self.interval_days);
        let office_hours = rng.random_range(7 * 3600..19 * 3600);
        let start = self.first_interval.and_hms_opt(0, 0, 0)?.and_utc();
        start.checked_add_signed(TimeDelta::days(day) + TimeDelta::seconds(office_hours))
    }
}
