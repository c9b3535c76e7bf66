//! What our new day is spent on, beside the bare statements that any tool needs for the same rows.

use std::time::Instant;

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use domain::DateWindow;
use e2e::{
    benchmark::stage_seconds,
    runs::{STAGES, stage},
    sources::API_TOKEN,
};
use figures::{Row, median};
use sample_sources::DEFAULT_PAGE_SIZE;
use serde_json::Value;

use crate::{
    contestants::Cost,
    morning::{Mornings, REVISED_DAYS},
    server::Database,
    table::Table,
};

/// The most that may be left of the whole without the bare statements, in percent.
const AIM: f64 = 25.0;

const SETTINGS: &str = "SET work_mem = '256MB'; SET jit = off;";

/// The bare side, in a schema of the suite's own database: it computes the fact from the rows that the suite staged.
pub(crate) struct Bare<'a> {
    database: &'a Database,
    measured: Vec<Measured>,
}

struct Measured {
    crm: f64,
    usage: f64,
    insert: f64,
    answers: f64,
}

impl<'a> Bare<'a> {
    /// Creates the tables with everything that was published so far.
    pub(crate) fn new(database: &'a Database) -> Result<Self> {
        database.psql(&format!("{SETTINGS}\n{}", include_str!("sql/bare.sql")))?;
        Ok(Self { database, measured: Vec::new() })
    }

    /// Writes a new day that the suite has staged.
    pub(crate) async fn write(&mut self, mornings: &Mornings<'_>, day: NaiveDate) -> Result<()> {
        let timed =
            |statement: String| self.database.timed(&format!("{SETTINGS}\n\\timing on\n{statement}\n"));
        self.database.psql("TRUNCATE bare.crm;\nCHECKPOINT;\n")?;
        let csv = "WITH (FORMAT csv, HEADER)";
        let crm = timed(format!("\\copy bare.crm FROM '{}' {csv}", mornings.export_of(day).display()))?;
        let records = mornings.usage_csv(day)?;
        let usage = timed(format!("\\copy bare.usage FROM '{}' WITH (FORMAT csv)", records.display()))?;
        let select =
            include_str!("../../../benchmarks/sql/day_of_fact.sql").replace(":day", &format!("DATE '{day}'"));
        let insert = timed(format!("INSERT INTO bare.fact {select};"))?;
        let answers = answers(&mornings.api_url, DateWindow::day(day).reaching_back(REVISED_DAYS)).await?;
        self.measured.push(Measured { crm, usage, insert, answers });
        Ok(())
    }

    /// Puts both sides together.
    pub(crate) fn table(&self, costs: &[Cost], companies: usize) -> Result<Table> {
        let mut table = Table::new("spent", format!("What our new day of {companies} companies is spent on"));
        table.has_one_scale = true;
        let whole: Vec<f64> = costs.iter().map(|cost| cost.seconds).collect();
        let bare: Vec<f64> = self.measured.iter().map(|bare| bare.crm + bare.usage + bare.insert).collect();
        let share: Vec<f64> =
            whole.iter().zip(&bare).map(|(whole, bare)| (whole - bare).max(0.0) / whole * 100.0).collect();
        table.rows.push(Row::new("the whole", "s").median("wall clock", &whole));
        let runs = costs.iter().map(|cost| cost.run.as_ref().context("no run"));
        let runs: Vec<_> = runs.collect::<Result<_>>()?;
        let mut ends = Vec::new();
        for run in &runs {
            let [crm, api, build, publish] = STAGES.map(|name| stage(run, name).and_then(stage_seconds));
            ends.push(crm?.max(api?) + build? + publish?);
        }
        for name in STAGES {
            let seconds: Result<Vec<f64>> = runs.iter().map(|run| stage_seconds(stage(run, name)?)).collect();
            table.rows.push(Row::new(format!("  {name}"), "s").median("wall clock", &seconds?));
        }
        let between: Vec<f64> =
            whole.iter().zip(&ends).map(|(whole, stages)| (whole - stages).max(0.0)).collect();
        table.rows.push(Row::new("  before, between and after stages", "s").median("wall clock", &between));
        let part = |name: &str, of: &dyn Fn(&Measured) -> f64| {
            Row::new(name, "s").median("bare", &self.measured.iter().map(of).collect::<Vec<_>>())
        };
        table.rows.push(Row::new("bare statements for the same rows", "s").median("bare", &bare));
        table.rows.push(part("  \\copy of the export", &|bare| bare.crm));
        table.rows.push(part("  \\copy of the day's usage", &|bare| bare.usage));
        table.rows.push(part("  INSERT ... SELECT of the fact", &|bare| bare.insert));
        table.rows.push(part("the API's answers alone, one after the other", &|bare| bare.answers));
        let of = |time: fn(&Cost) -> f64| costs.iter().map(time).collect::<Vec<_>>();
        table.rows.push(Row::new("processor, our process", "s").median("processor", &of(|cost| cost.own)));
        table.rows.push(Row::new("processor, Postgres", "s").median("processor", &of(|cost| cost.postgres)));
        let share = median(share);
        let left = Row::new("the whole less the bare statements", "%").value("wall clock", share);
        table.rows.push(left.aim(format!("≤ {AIM} %"), share <= AIM));
        table.notes.push(
            "The two ingest stages run at the same time. act_call_product_api reads the new day and the three before \
             it, whose records may have changed; act_copy_crm_csv compares the export with the one before; \
             act_validate_row_counts measures, audits and publishes."
                .to_owned(),
        );
        Ok(table)
    }
}

/// The seconds that the API's answers for these days take if nothing is done with them.
async fn answers(url: &str, window: DateWindow) -> Result<f64> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let began = Instant::now();
    for day in window.days() {
        for page in 1.. {
            let query = [
                ("start_date", day.to_string()),
                ("end_date", day.to_string()),
                ("page", page.to_string()),
                ("page_size", DEFAULT_PAGE_SIZE.to_string()),
            ];
            let request = client.get(url).bearer_auth(API_TOKEN).query(&query);
            let answer = request.send().await?.error_for_status()?.bytes().await?;
            // Only the last page is shorter than the usual one.
            if answer.len() < DEFAULT_PAGE_SIZE * 40 {
                let answer: Value = serde_json::from_slice(&answer)?;
                if answer["data"].as_array().context("no list")?.len() < DEFAULT_PAGE_SIZE {
                    break;
                }
            }
        }
    }
    Ok(began.elapsed().as_secs_f64())
}
