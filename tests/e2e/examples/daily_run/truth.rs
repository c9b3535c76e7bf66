//! Whether a contestant's rows are those that the definition calls for.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use serde::Deserialize;

use crate::server::{Database, Server};

/// The columns of the fact, as all contestants name them.
const COLUMNS: &str = "company_id, company_name, country, industry_tag, last_contact_at, active_users, events, \
                       \"7d_active_users\", is_churn_risk, events_per_user, days_since_last_contact";

/// What the sources said, in a database of its own.
pub(crate) struct Truth(Database);

/// How a contestant's rows differ from the definition's.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Verdict {
    expected: u64,
    missing: u64,
    extra: u64,
    differing: u64,
    /// How many of the differing rows differ in which columns.
    columns: BTreeMap<String, u64>,
}

impl Truth {
    pub(crate) fn new(server: &Server) -> Result<Self> {
        let database = server.database("truth")?;
        database.psql(include_str!("sql/truth.sql"))?;
        Ok(Self(database))
    }

    /// Takes down an export.
    pub(crate) fn add_export(&self, effective_on: NaiveDate, csv: &Path) -> Result<()> {
        let columns = "company_id, name, country, industry_tag, last_contact_at";
        let script = format!(
            "BEGIN;\nALTER TABLE exports ALTER effective_on SET DEFAULT DATE '{effective_on}';\n\\copy exports \
             ({columns}) FROM '{}' WITH (FORMAT csv, HEADER)\nCOMMIT;\n",
            csv.display()
        );
        self.0.psql(&script).map(drop)
    }

    /// Takes down what the product API says now of the days from `first` on.
    pub(crate) fn set_usage(&self, first: NaiveDate, csv: &Path) -> Result<()> {
        let script = format!(
            "BEGIN;\nDELETE FROM usage WHERE date >= '{first}';\n\\copy usage FROM '{}' WITH (FORMAT csv)\nCOMMIT;\n",
            csv.display()
        );
        self.0.psql(&script).map(drop)
    }

    /// Tells the server about the tables' contents.
    pub(crate) fn analyze(&self) -> Result<()> {
        self.0.psql("VACUUM ANALYZE;\n").map(drop)
    }

    /// Compares the rows of a day.
    pub(crate) fn compare(&self, contestant: &Database, day: NaiveDate, folder: &Path) -> Result<Verdict> {
        let file = folder.join("fact.csv");
        let (path, column) = (file.display(), COLUMNS);
        contestant.psql(&format!(
            "\\copy (SELECT {column} FROM fact_company_activity WHERE activity_date = '{day}') TO '{path}' WITH \
             (FORMAT csv)\n"
        ))?;
        self.0.psql(&format!("TRUNCATE contestant;\n\\copy contestant FROM '{path}' WITH (FORMAT csv)\n"))?;
        let query = include_str!("sql/definition.sql").replace(":day", &format!("DATE '{day}'"));
        let printed = self.0.psql(&format!("ANALYZE contestant;\n{query}"))?;
        serde_json::from_str(printed.trim()).with_context(|| format!("psql printed {printed:?}"))
    }
}

impl Verdict {
    /// How many rows are not what they should be.
    pub(crate) fn wrong(&self) -> u64 {
        self.missing + self.extra + self.differing
    }

    /// Both together.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.expected += other.expected;
        self.missing += other.missing;
        self.extra += other.extra;
        self.differing += other.differing;
        for (column, rows) in &other.columns {
            *self.columns.entry(column.clone()).or_default() += rows;
        }
        self
    }

    /// In words.
    pub(crate) fn text(&self) -> String {
        if self.wrong() == 0 {
            return format!("exact, all {} rows", self.expected);
        }
        let mut text = format!("{} of {} rows wrong:", self.wrong(), self.expected);
        for (what, rows) in
            [("missing", self.missing), ("too many", self.extra), ("different", self.differing)]
        {
            if rows > 0 {
                let _ = write!(text, " {rows} {what},");
            }
        }
        let text = text.trim_end_matches(',').to_owned();
        let columns: Vec<String> = self
            .columns
            .iter()
            .filter(|(_, rows)| **rows > 0)
            .map(|(column, rows)| format!("{column} {rows}"))
            .collect();
        if columns.is_empty() { text } else { format!("{text} ({})", columns.join(", ")) }
    }
}
