//! How much a company uses the product from day to day.

use chrono::{Datelike as _, NaiveDate, Weekday};
use rand::{Rng, RngExt as _, seq::IndexedRandom as _};
use rand_distr::{Binomial, Distribution as _, StandardNormal};

use crate::day_range::DayRange;

/// The size of the median company, in users; sizes are log-normal around it.
const MEDIAN_SEATS: f64 = 12.0;
/// The standard deviation of the logarithm of the size: one company in forty is about
/// forty times as large as the median.
const SEATS_SPREAD: f64 = 1.9;
/// The size of the largest company.
const MAX_SEATS: f64 = 10_000.0;
/// How long it takes a company that joins until everyone uses the product.
const RAMP_UP_DAYS: f64 = 21.0;
/// For how long a company that leaves uses the product less and less.
const DECLINE_DAYS: f64 = 28.0;

/// The totals of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DailyUsage {
    pub(crate) active_users: u32,
    pub(crate) events: u64,
}

/// A company's habits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UsageCurve {
    /// The days on which the company is a customer.
    pub(crate) days: DayRange,
    /// Whether the company starts on the first of these days, so that it ramps up.
    pub(crate) starts: bool,
    /// Users at the start of the world.
    pub(crate) seats: f64,
    /// Growth (above zero) or decline in users, compounding every 30 days.
    monthly_growth: f64,
    /// The share of users active on an ordinary weekday.
    active_share: f64,
    /// Weekend activity relative to a weekday: zero for companies that close.
    weekend_factor: f64,
    events_per_user: f64,
    /// Events that integrations send every day, with or without users.
    automated_events: f64,
}

/// `median · exp(spread · z)`: a log-normal number.
fn log_normal(median: f64, spread: f64, rng: &mut impl Rng) -> f64 {
    let z: f64 = rng.sample(StandardNormal);
    median * (spread * z).exp()
}

impl UsageCurve {
    pub(crate) fn draw(days: DayRange, starts: bool, rng: &mut impl Rng) -> Self {
        // Closed, office, shift work and consumer-facing companies.
        const WEEKEND_FACTORS: [f64; 10] = [0.0, 0.0, 0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.6, 1.1];
        let z: f64 = rng.sample(StandardNormal);
        Self {
            days,
            starts,
            seats: log_normal(MEDIAN_SEATS, SEATS_SPREAD, rng).clamp(1.0, MAX_SEATS),
            monthly_growth: (0.02 + 0.12 * z).clamp(-0.5, 0.6),
            active_share: rng.random_range(0.25..0.85),
            weekend_factor: WEEKEND_FACTORS.choose(rng).copied().unwrap_or_default(),
            events_per_user: log_normal(18.0, 0.7, rng),
            automated_events: if rng.random_range(0..10) == 0 { log_normal(40.0, 1.0, rng) } else { 0.0 },
        }
    }

    /// What the company does on `day`; `None` if nothing, or if it is not a customer
    /// then.
    pub(crate) fn usage(
        &self,
        day: NaiveDate,
        world_start: NaiveDate,
        rng: &mut impl Rng,
    ) -> Option<DailyUsage> {
        if !self.days.contains(day) {
            return None;
        }
        let mood = log_normal(1.0, 0.1, rng);
        let share = self.active_share * self.weekday_factor(day) * self.life_cycle(day) * mood;
        let users = Binomial::new(self.seats_on(day, world_start), share.clamp(0.0, 1.0));
        let active_users = users.map_or(0, |users| users.sample(rng));
        let intensity = log_normal(self.events_per_user, 0.15, rng);
        let automated = log_normal(self.automated_events, 0.1, rng);
        let usage = DailyUsage {
            active_users: u32::try_from(active_users).unwrap_or(u32::MAX),
            events: whole(from_count(active_users) * intensity + automated),
        };
        (usage.active_users > 0 || usage.events > 0).then_some(usage)
    }

    fn seats_on(&self, day: NaiveDate, world_start: NaiveDate) -> u64 {
        let months = days_between(world_start, day) / 30.0;
        whole((self.seats * (1.0 + self.monthly_growth).powf(months)).clamp(1.0, MAX_SEATS))
    }

    fn weekday_factor(&self, day: NaiveDate) -> f64 {
        match day.weekday() {
            Weekday::Sat | Weekday::Sun => self.weekend_factor,
            Weekday::Fri => 0.9,
            _ => 1.0,
        }
    }

    /// Rises after the company joins, falls before it leaves, 1 in between.
    fn life_cycle(&self, day: NaiveDate) -> f64 {
        let joined = if self.starts { days_between(self.days.from, day) + 1.0 } else { RAMP_UP_DAYS };
        let left = days_between(day, self.days.until);
        (joined / RAMP_UP_DAYS).min(left / DECLINE_DAYS).min(1.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "day counts are far below 2^53")]
fn days_between(from: NaiveDate, to: NaiveDate) -> f64 {
    (to - from).num_days() as f64
}

#[expect(clippy::cast_precision_loss, reason = "user counts are far below 2^53")]
fn from_count(count: u64) -> f64 {
    count as f64
}

/// The nearest whole number, at least zero.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates at both ends")]
pub(crate) fn whole(number: f64) -> u64 {
    number.round() as u64
}
