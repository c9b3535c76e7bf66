//! An export's place among the snapshots, and whether it is plausible there.

use std::cmp::Ordering;

use chrono::NaiveDate;
use domain::share;

use crate::{
    crm::CrmExport,
    error::{Error, Result},
    received::{Received, way_to_accept},
    snapshot_limits::SnapshotLimits,
};

/// A previous snapshot with at most this many companies limits no growth: the first
/// export is often a trial.
const SMALL_BASE: u64 = 100;

/// One snapshot among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The day on which it takes effect.
    pub on: NaiveDate,
    /// The path of its file.
    pub path: String,
    /// Number of companies.
    pub companies: u64,
}

/// The companies that an export names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedCompanies {
    /// Companies with a row that is at least partly readable.
    pub readable: u64,
    /// Those, and companies of which only the identifier is readable.
    pub all: u64,
}

/// The snapshots around the day on which an export takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Neighbourhood {
    /// The snapshot on the same day.
    pub same_day: Option<Snapshot>,
    /// The nearest earlier snapshot.
    pub previous: Option<Snapshot>,
    /// The nearest later snapshot.
    pub next: Option<Snapshot>,
}

impl Neighbourhood {
    /// Adds a snapshot in its place relative to `day`.
    #[must_use]
    pub fn with(mut self, day: NaiveDate, snapshot: Snapshot) -> Self {
        let place = match snapshot.on.cmp(&day) {
            Ordering::Less => &mut self.previous,
            Ordering::Equal => &mut self.same_day,
            Ordering::Greater => &mut self.next,
        };
        *place = Some(snapshot);
        self
    }

    /// The day of the nearest earlier snapshot.
    #[must_use]
    pub fn previous_day(&self) -> Option<NaiveDate> {
        self.previous.as_ref().map(|snapshot| snapshot.on)
    }

    /// The day of the nearest later snapshot.
    #[must_use]
    pub fn next_day(&self) -> Option<NaiveDate> {
        self.next.as_ref().map(|snapshot| snapshot.on)
    }

    /// The day of the snapshot whose state applied on the export's day until now.
    #[must_use]
    pub fn held_before(&self) -> Option<NaiveDate> {
        [&self.same_day, &self.previous, &self.next].into_iter().flatten().next().map(|snapshot| snapshot.on)
    }

    /// Whether another export that takes effect on the same day wins.
    #[must_use]
    pub fn is_overruled(&self, export: &CrmExport) -> bool {
        self.same_day.as_ref().is_some_and(|snapshot| snapshot.path > export.path)
    }

    /// Whether the export is plausible: enough of it is readable, and its size fits the
    /// snapshot it replaces, else the previous one, else the next one.
    ///
    /// # Errors
    /// [`Error::Refused`] that says what to do about it.
    pub fn judge(
        &self,
        export: &CrmExport,
        received: &Received,
        named: NamedCompanies,
        limits: SnapshotLimits,
    ) -> Result<()> {
        let refused = |problem: String| Err(Error::Refused(format!("{}: {problem}", export.path)));
        if named.readable == 0 {
            return refused(format!(
                "no valid company row: nothing of it was loaded{}",
                received.first_reasons()
            ));
        }
        if let Err(problem) = received.within(limits.rejections) {
            return refused(format!(
                "{problem}; nothing of it was loaded. Check the export; {}, or raise --crm-max-rejected-share",
                way_to_accept(&export.path)
            ));
        }
        if self.is_overruled(export) {
            return Ok(());
        }
        match self.size_problem(named.all, limits) {
            Some(problem) => refused(problem),
            None => Ok(()),
        }
    }

    fn size_problem(&self, companies: u64, limits: SnapshotLimits) -> Option<String> {
        let earlier = [(&self.same_day, "export that it replaces, of"), (&self.previous, "snapshot of")];
        let earlier = earlier.into_iter().find_map(|(found, what)| Some((found.as_ref()?, what)));
        let (before, after) = match (earlier, &self.next) {
            (Some((snapshot, _)), _) => (snapshot.companies, companies),
            (None, Some(snapshot)) => (companies, snapshot.companies),
            (None, None) => return None,
        };
        let (gone, growth) = (share(before.saturating_sub(after), before), share(after, before));
        let (reported, limit, flag) = if gone > limits.max_shrink_share {
            let reported = format!("{:.0} % fewer than", gone * 100.0);
            (reported, format!("{:.0} %", limits.max_shrink_share * 100.0), "--crm-max-shrink-share")
        } else if after > SMALL_BASE && growth > limits.max_growth_factor {
            let reported = format!("{growth:.1} times as many as");
            (reported, format!("{} times", limits.max_growth_factor), "--crm-max-growth-factor")
        } else {
            return None;
        };
        let compared = match (earlier, &self.next) {
            (Some((snapshot, what)), _) => {
                format!("{companies} companies, {reported} the {before} of the {what} {}", snapshot.on)
            }
            (None, next) => {
                let on = next.as_ref().map(|snapshot| snapshot.on.to_string()).unwrap_or_default();
                format!(
                    "{companies} companies, and the snapshot after it, of {on}, has {after}, {reported} it"
                )
            }
        };
        Some(format!(
            "{compared}: more than the allowed {limit}; nothing of it was loaded. Check the export; if it is \
             right, raise {flag} and retry the run"
        ))
    }
}

#[cfg(test)]
mod tests;
