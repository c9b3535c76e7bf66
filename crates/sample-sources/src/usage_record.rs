//! One record of the product API, as a world generates it.

use chrono::NaiveDate;
use serde_json::Value;

use crate::defects::UsageDefect;

/// A date outside every requested window: what a source writes if it takes a missing
/// timestamp for zero.
const EPOCH: NaiveDate = match NaiveDate::from_ymd_opt(1970, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// A company's activity on a day, and the defect of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRecord {
    /// The company.
    pub company_id: String,
    /// The day for which the API returns this record.
    pub date: NaiveDate,
    /// Users active on the day.
    pub active_users: u32,
    /// Events recorded on the day.
    pub events: u64,
    /// How [`to_json`](Self::to_json) breaks the contract; `None` for a valid record.
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
