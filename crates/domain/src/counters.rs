//! What a stage did with rows, and the balance it must keep.

use std::ops::{Add, AddAssign};

/// Counts of rows and bytes, summed over a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Rows taken from the source.
    pub rows_read: u64,
    /// Rows inserted or changed at the destination.
    pub rows_written: u64,
    /// Rows that the destination already held with equal values.
    pub rows_unchanged: u64,
    /// Rows the source delivered more than once.
    pub rows_duplicate: u64,
    /// Rows quarantined with a reason.
    pub rows_rejected: u64,
    /// Rows removed because the source no longer has them; they were not read, so they
    /// are not part of the balance.
    pub rows_removed: u64,
    /// Bytes taken from the source.
    pub bytes_read: u64,
}

/// A stage's counters do not account for every row that it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "rows do not balance: read {} but written {} + unchanged {} + duplicate {} + rejected {} = {}",
    .0.rows_read, .0.rows_written, .0.rows_unchanged, .0.rows_duplicate, .0.rows_rejected, .0.accounted()
)]
pub struct Imbalance(pub Counters);

impl Counters {
    /// Rows accounted for.
    #[must_use]
    pub const fn accounted(&self) -> u64 {
        self.rows_written + self.rows_unchanged + self.rows_duplicate + self.rows_rejected
    }

    /// Checks `read = written + unchanged + duplicate + rejected`.
    ///
    /// # Errors
    /// If a row is missing or counted twice.
    pub const fn check_balance(self) -> Result<Self, Imbalance> {
        if self.rows_read == self.accounted() { Ok(self) } else { Err(Imbalance(self)) }
    }
}

impl Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            rows_read: self.rows_read + other.rows_read,
            rows_written: self.rows_written + other.rows_written,
            rows_unchanged: self.rows_unchanged + other.rows_unchanged,
            rows_duplicate: self.rows_duplicate + other.rows_duplicate,
            rows_rejected: self.rows_rejected + other.rows_rejected,
            rows_removed: self.rows_removed + other.rows_removed,
            bytes_read: self.bytes_read + other.bytes_read,
        }
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// How far a running stage has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The counters so far.
    pub counters: Counters,
    /// Units of work done, in the stage's own unit, such as files or days.
    pub units_done: u64,
    /// Total units of work; zero while unknown.
    pub units_total: u64,
    /// What the stage is doing now, for people.
    pub activity: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_row_is_an_imbalance() {
        let balanced = Counters {
            rows_read: 10,
            rows_written: 4,
            rows_unchanged: 3,
            rows_duplicate: 2,
            rows_rejected: 1,
            rows_removed: 99,
            bytes_read: 7,
        };
        assert_eq!(balanced.check_balance(), Ok(balanced));
        let lossy = Counters { rows_read: 11, ..balanced };
        assert_eq!(lossy.check_balance(), Err(Imbalance(lossy)));
    }
}
