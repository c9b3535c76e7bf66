//! The columns: by which rule each has its value, and what that is made of.

use chrono::NaiveDate;

use crate::{
    fact::{COLUMNS, FactRow},
    provenance::{Provenance, UsageProvenance},
    usage::{CHURN_DAYS, ROLLING_USERS_DAYS, UsageNumbers},
};

/// A column of a company-day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The column.
    pub column: &'static str,
    /// The rule, in words.
    pub rule: String,
    /// How the staged numbers lead to the staged value; empty where there is nothing to
    /// reckon.
    pub reckoning: String,
    /// The days that the value is made of, with the number of each.
    pub parts: Vec<CellPart>,
    /// Whether what is published is not what is staged.
    pub differs: bool,
}

/// What a day contributes to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellPart {
    /// The day.
    pub day: NaiveDate,
    /// Its number; `None` without a record, which counts as zero.
    pub number: Option<i64>,
}

/// The cells of a row that is published, or would be.
pub(super) fn cells(
    provenance: &Provenance,
    published: Option<&FactRow>,
    staged: Option<&FactRow>,
    written_by: Option<&str>,
) -> Vec<Cell> {
    let Some(row) = published.or(staged) else { return Vec::new() };
    let texts = |row: Option<&FactRow>| row.map(FactRow::texts);
    let (published_texts, staged_texts) = (texts(published), texts(staged));
    let cells = (0..).zip(COLUMNS).map(|(position, column)| {
        let value = |texts: &Option<[(&'static str, Option<String>); COLUMNS.len()]>| {
            texts.as_ref().and_then(|texts| texts.get(position).cloned())
        };
        let (published, staged_value) = (value(&published_texts), value(&staged_texts));
        let differs = column != "loaded_at" && published.is_some() && published != staged_value;
        let explained = Explained { provenance, row, staged, written_by };
        Cell { differs, ..explained.cell(column) }
    });
    cells.collect()
}

struct Explained<'a> {
    provenance: &'a Provenance,
    row: &'a FactRow,
    staged: Option<&'a FactRow>,
    written_by: Option<&'a str>,
}

impl Explained<'_> {
    fn cell(&self, column: &'static str) -> Cell {
        let day = self.provenance.key.activity_date;
        let cell =
            |rule: String| Cell { column, rule, reckoning: String::new(), parts: Vec::new(), differs: false };
        match column {
            "company_id" => cell("as CRM and product API both spell it".to_owned()),
            "activity_date" => cell("a UTC calendar day".to_owned()),
            "company_name" => cell(self.crm_rule("name")),
            "country" => cell(self.crm_rule("country")),
            "industry_tag" => cell(self.crm_rule("industry")),
            "last_contact_at" => cell(self.crm_rule("last contact")),
            "active_users" => self.of_day(cell(self.record_rule()), |record| i64::from(record.active_users)),
            "events" => self.of_day(cell(self.record_rule()), |record| record.events),
            "7d_active_users" => {
                let rule = format!("active_users of the {ROLLING_USERS_DAYS} days up to {day}, summed");
                self.summed(cell(rule))
            }
            "is_churn_risk" => {
                self.silent(cell(format!("true if none of the {CHURN_DAYS} days up to {day} has an event")))
            }
            "events_per_user" => {
                self.ratio(cell("events / active_users of the day; NULL without active users".to_owned()))
            }
            "days_since_last_contact" => {
                self.since_contact(cell(format!("calendar days in UTC from the last contact to {day}")))
            }
            "loaded_at" => cell(match self.written_by {
                Some(run_id) => format!("when run {run_id} published these values"),
                None => "when these values were published".to_owned(),
            }),
            _ => cell(String::new()),
        }
    }

    fn crm_rule(&self, what: &str) -> String {
        match &self.provenance.crm.version {
            Some(version) => format!("the {what} in the CRM's version of {}", version.from),
            None => format!("the {what} in the CRM, which never had the company"),
        }
    }

    fn record_rule(&self) -> String {
        match self.today() {
            Some(UsageProvenance { record: Some(_), .. }) => "of the day's record".to_owned(),
            _ => "the day has no record".to_owned(),
        }
    }

    fn today(&self) -> Option<&UsageProvenance> {
        self.provenance.last_days(1).next()
    }

    fn parts(&self, length: u64, number: impl Fn(&UsageNumbers) -> i64) -> Vec<CellPart> {
        let days = self.provenance.last_days(length);
        days.map(|usage| CellPart { day: usage.day, number: usage.record.as_ref().map(&number) }).collect()
    }

    fn of_day(&self, cell: Cell, number: impl Fn(&UsageNumbers) -> i64) -> Cell {
        Cell { parts: self.parts(1, number), ..cell }
    }

    fn summed(&self, cell: Cell) -> Cell {
        let parts = self.parts(ROLLING_USERS_DAYS, |record| record.active_users.into());
        let told = |part: &CellPart| part.number.map_or_else(|| "–".to_owned(), |number| number.to_string());
        let sum: i64 = parts.iter().filter_map(|part| part.number).sum();
        let reckoning = format!("{} = {sum}", parts.iter().map(told).collect::<Vec<_>>().join(" + "));
        Cell { reckoning, parts, ..cell }
    }

    fn silent(&self, cell: Cell) -> Cell {
        let parts = self.parts(CHURN_DAYS, |record| record.events);
        let newest = parts.iter().rfind(|part| part.number.is_some_and(|events| events > 0));
        let reckoning = match newest {
            Some(CellPart { day, number }) => {
                format!("{day} has {}, so false", counted(number.unwrap_or_default(), "event"))
            }
            None => "none has, so true".to_owned(),
        };
        Cell { reckoning, parts, ..cell }
    }

    fn ratio(&self, cell: Cell) -> Cell {
        let UsageNumbers { active_users, events } =
            self.today().and_then(|usage| usage.record).unwrap_or_default();
        let reckoning = match self.staged.and_then(|row| row.events_per_user) {
            Some(ratio) => format!("{events} / {active_users} = {ratio}"),
            None => "no active users, so NULL".to_owned(),
        };
        Cell { reckoning, ..cell }
    }

    fn since_contact(&self, cell: Cell) -> Cell {
        let day = self.row.key.activity_date;
        let contact =
            self.provenance.crm.version.as_ref().and_then(|version| version.attributes.last_contact_at);
        let reckoning = match contact {
            Some(at) => {
                let days = (day - at.date_naive()).num_days();
                format!("from {} to {day}: {}", at.date_naive(), counted(days, "day"))
            }
            None => "no contact is known, so NULL".to_owned(),
        };
        Cell { reckoning, ..cell }
    }
}

fn counted(number: i64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
