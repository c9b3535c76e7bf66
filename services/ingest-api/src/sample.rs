//! Picks the companies of a sample.

use std::collections::BTreeSet;

use domain::CompanyId;
use sha2::{Digest, Sha256};

/// Up to `size` of the companies: those whose hash with `seed` is smallest, so that the same
/// seed picks the same ones, and any company is as likely to be picked as any other.
pub(crate) fn sample<'a>(
    companies: BTreeSet<&'a CompanyId>,
    size: usize,
    seed: &str,
) -> BTreeSet<&'a CompanyId> {
    if companies.len() <= size {
        return companies;
    }
    let mut ranked: Vec<([u8; 8], &CompanyId)> =
        companies.into_iter().map(|company| (rank(company, seed), company)).collect();
    ranked.select_nth_unstable(size);
    ranked.truncate(size);
    ranked.into_iter().map(|(_, company)| company).collect()
}

fn rank(company: &CompanyId, seed: &str) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(seed);
    // Neither text can hold it, so that no two pairs hash the same text.
    hash.update([0]);
    hash.update(company.as_str());
    let hash: [u8; 32] = hash.finalize().into();
    let mut rank = [0; 8];
    rank.copy_from_slice(&hash[..8]);
    rank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_picks_the_same_companies_and_another_one_others() {
        let companies: Vec<CompanyId> =
            (0..500).map(|at| CompanyId::parse(&format!("c{at}")).unwrap()).collect();
        let picked = |size, seed| sample(companies.iter().collect(), size, seed);
        assert_eq!(picked(20, "a").len(), 20);
        assert_eq!(picked(20, "a"), picked(20, "a"));
        assert_ne!(picked(20, "a"), picked(20, "b"));
        assert!(picked(10, "a").is_subset(&picked(20, "a")));
        assert_eq!(picked(500, "a").len(), 500);
        assert!(picked(0, "a").is_empty());
    }
}
