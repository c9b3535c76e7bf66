//! Finds out while rows stream by that no company comes twice, which spares the database
//! a pass over all of them.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use domain::CompanyId;

/// How many companies are kept in mind: at most 5 MB.
const MOST_COMPANIES: usize = 400_000;

/// The companies so far, by their hashes.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    hasher: RandomState,
    seen: HashSet<u64>,
    are_possible: bool,
}

impl Repeats {
    /// Notes a row's company.
    pub(crate) fn note(&mut self, company: &CompanyId) {
        if self.are_possible {
            return;
        }
        let is_new = self.seen.insert(self.hasher.hash_one(company.as_str()));
        if !is_new || self.seen.len() > MOST_COMPANIES {
            self.are_possible = true;
            self.seen = HashSet::new();
        }
    }

    /// Whether a company may have come twice: one has, or two have the same hash, or they
    /// are too many.
    pub(crate) const fn are_possible(&self) -> bool {
        self.are_possible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(companies: impl Iterator<Item = usize>) -> Repeats {
        let mut repeats = Repeats::default();
        for number in companies {
            repeats.note(&CompanyId::parse(&format!("c{number}")).unwrap());
        }
        repeats
    }

    #[test]
    fn a_company_that_comes_twice_is_noticed() {
        assert!(!noted(0..1_000).are_possible());
        assert!(noted((0..1_000).chain([7])).are_possible());
    }

    #[test]
    fn more_companies_than_are_kept_in_mind_may_repeat() {
        assert!(!noted(0..MOST_COMPANIES).are_possible());
        let many = noted(0..MOST_COMPANIES + 2);
        assert!(many.are_possible());
        assert_eq!(many.seen.capacity(), 0);
    }
}
