//! Puts a summary of churn together.

use domain::{LastContact, Publication};

use crate::overview::{ChurnCounts, ChurnSummary, MOST_CHURN_GROUPS};

/// Companies that have a country, an industry, or the days since their last contact in common.
#[derive(Debug, Clone)]
pub struct ChurnGroupRecord {
    /// `COUNTRY`, `INDUSTRY` or `CONTACT`.
    pub kind: String,
    /// The country or industry; empty without one.
    pub value: String,
    /// Days since the last contact; `None` for never.
    pub days: Option<i32>,
    /// Companies.
    pub companies: i64,
    /// Those at risk.
    pub at_risk: i64,
    /// Those at risk that were not the day before.
    pub new: i64,
    /// Those not at risk that were the day before.
    pub recovered: i64,
}

impl ChurnSummary {
    /// The summary of groups: every company is in one of each kind.
    #[must_use]
    pub fn of(
        publication: Publication,
        is_previous_day_published: bool,
        groups: Vec<ChurnGroupRecord>,
    ) -> Self {
        let mut total = ChurnCounts::default();
        let (mut by_country, mut by_industry) = (Vec::new(), Vec::new());
        let mut by_last_contact = LastContact::ALL.map(|group| (group, ChurnCounts::default()));
        for ChurnGroupRecord { kind, value, days, companies, at_risk, mut new, mut recovered } in groups {
            if !is_previous_day_published {
                (new, recovered) = (0, 0);
            }
            let counts = ChurnCounts { companies, at_risk, new, recovered };
            match kind.as_str() {
                "COUNTRY" => by_country.push((value, counts)),
                "INDUSTRY" => by_industry.push((value, counts)),
                _ => {
                    total.add(counts);
                    let group = LastContact::of(days);
                    if let Some((_, sum)) = by_last_contact.iter_mut().find(|(one, _)| *one == group) {
                        sum.add(counts);
                    }
                }
            }
        }
        Self {
            publication,
            is_previous_day_published,
            total,
            by_country: ordered(by_country),
            by_industry: ordered(by_industry),
            by_last_contact: by_last_contact.to_vec(),
        }
    }
}

impl ChurnCounts {
    fn add(&mut self, other: Self) {
        self.companies += other.companies;
        self.at_risk += other.at_risk;
        self.new += other.new;
        self.recovered += other.recovered;
    }
}

fn ordered(mut groups: Vec<(String, ChurnCounts)>) -> Vec<(String, ChurnCounts)> {
    groups.sort_by(|(one, counts), (other, others)| {
        (others.at_risk, others.companies, one).cmp(&(counts.at_risk, counts.companies, other))
    });
    groups.truncate(MOST_CHURN_GROUPS);
    groups
}
