//! A day's answer by company, as staging would take it.

use std::collections::BTreeMap;

use domain::{CompanyId, Concerns, Rejection, SourceRow, UsageNumbers, UsageRecord};

/// The records of an answer, one per company: of several the last that can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The companies that the answer names.
    pub(crate) companies: BTreeMap<CompanyId, Found>,
    /// Records of which not even the company can be read.
    pub(crate) of_anyone: u64,
    /// Records, whoever they are of.
    pub(crate) records: u64,
    /// Those of them that cannot be read.
    pub(crate) unreadable: u64,
}

/// The record of a company that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its place among the records, from 1: the line of a landed file.
    pub(crate) line: u64,
    /// Its numbers, or why it cannot be read.
    pub(crate) numbers: Result<UsageNumbers, String>,
}

impl Answer {
    /// Takes the next record; keeps it if its company `is_wanted`.
    pub(crate) fn take(&mut self, row: SourceRow<UsageRecord>, is_wanted: impl Fn(&CompanyId) -> bool) {
        self.records += 1;
        let (line, company_id, numbers) = match row {
            SourceRow::Accepted { line, row }
            | SourceRow::Partial { row, rejection: Rejection { line, .. } } => {
                let numbers = row.numbers();
                (line, row.company_id, Ok(numbers))
            }
            SourceRow::Rejected(Rejection { line, reason, concerns, .. }) => {
                self.unreadable += 1;
                match concerns {
                    Concerns::Company(company_id) => (line, company_id, Err(reason.to_string())),
                    Concerns::Anyone => return self.of_anyone += 1,
                    Concerns::NoOne => return,
                }
            }
        };
        if !is_wanted(&company_id) {
            return;
        }
        let says_nothing =
            numbers.is_err() && self.companies.get(&company_id).is_some_and(|known| known.numbers.is_ok());
        if !says_nothing {
            self.companies.insert(company_id, Found { line, numbers });
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{DateWindow, RejectionReason, date_window::parse_day};

    use super::*;

    fn readable(line: u64, company: &str, events: i64) -> SourceRow<UsageRecord> {
        let asked = DateWindow::day(parse_day("2026-01-05").unwrap());
        let row = UsageRecord::check(company, "2026-01-05", 1, events, asked).unwrap();
        SourceRow::Accepted { line, row }
    }

    fn unreadable(line: u64, concerns: Concerns) -> SourceRow<UsageRecord> {
        let reason = RejectionReason::Malformed("torn".to_owned());
        SourceRow::Rejected(Rejection::new(line, reason, "{").concerning(concerns))
    }

    #[test]
    fn of_several_records_the_last_readable_one_counts() {
        let id = |text| CompanyId::parse(text).unwrap();
        let mut answer = Answer::default();
        for row in [
            readable(1, "acme", 5),
            readable(2, "bolt", 7),
            readable(3, "acme", 6),
            unreadable(4, Concerns::Company(id("acme"))),
            unreadable(5, Concerns::Company(id("core"))),
            unreadable(6, Concerns::Anyone),
            unreadable(7, Concerns::NoOne),
            readable(8, "unasked", 1),
        ] {
            answer.take(row, |company| company.as_str() != "unasked");
        }
        let found = |line, events: Option<i64>| {
            let numbers = events.map(|events| UsageNumbers { active_users: 1, events });
            Found { line, numbers: numbers.ok_or_else(|| "torn".to_owned()) }
        };
        let companies = [("acme", found(3, Some(6))), ("bolt", found(2, Some(7))), ("core", found(5, None))];
        let companies = companies.into_iter().map(|(company, found)| (id(company), found)).collect();
        assert_eq!(answer, Answer { companies, of_anyone: 1, records: 8, unreadable: 4 });
    }
}
