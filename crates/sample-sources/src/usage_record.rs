//! One record of the product API, as it comes out of a world.

use chrono::NaiveDate;
use serde_json::Value;

use crate::defects::UsageDefect;

/// The date of a record that lies outside every asked window: what a source
/// writes that took a missing timestamp for zero.
const EPOCH: NaiveDate = match NaiveDate::from_ymd_opt(1970, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// What a company did on a day, and what is wrong with the record of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRecord {
    /// The company.
    pub company_id: String,
    /// The day that the API answers this record for.
    pub date: NaiveDate,
    /// Users active on the day.
    pub active_users: u32,
    /// Events recorded on the day.
    pub events: u64,
    /// What breaks the contract in [`to_json`](Self::to_json). `None`: the
    /// record is valid.
    pub defect: Option<UsageDefect>,
}

impl SampleRecord {
    /// The record as the API writes it, with its defect.
    #[must_use]
    pub fn to_json(&self) -> String {
        let company_id = Value::from(self.company_id.as_str());
        let date = match self.defect {
            Some(UsageDefect::DateOutsideWindow) => EPOCH,
            _ => self.date,
        };
        let active_users = match self.defect {
            Some(UsageDefect::MissingField) => String::new(),
            _ => format!(r#""active_users":{},"#, self.active_users),
        };
        let events = match self.defect {
            Some(UsageDefect::NegativeCount) => format!("-{}", self.events.max(1)),
            _ => self.events.to_string(),
        };
        format!(r#"{{"company_id":{company_id},"date":"{date}",{active_users}"events":{events}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(defect: Option<UsageDefect>) -> String {
        let date = NaiveDate::from_ymd_opt(2026, 1, 2).unwrap();
        let record = SampleRecord { company_id: "007".into(), date, active_users: 3, events: 0, defect };
        record.to_json()
    }

    #[test]
    fn a_sound_record_has_the_four_fields_of_the_contract() {
        assert_eq!(json(None), r#"{"company_id":"007","date":"2026-01-02","active_users":3,"events":0}"#);
    }

    #[test]
    fn every_defect_shows_in_the_text() {
        for (defect, text) in [
            (UsageDefect::NegativeCount, r#""events":-1}"#),
            (UsageDefect::DateOutsideWindow, r#""date":"1970-01-01""#),
            (UsageDefect::MissingField, r#"{"company_id":"007","date":"2026-01-02","events":0}"#),
        ] {
            let json = json(Some(defect));
            assert!(json.contains(text), "{json}");
        }
    }
}
