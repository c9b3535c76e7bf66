//! Trends for programs.

use std::io::Write;

use chrono::NaiveDate;
use clap::ValueEnum;
use presentation::trend::{Execution, Judgement, StageTrend};
use serde::Serialize;

use crate::error::Error;

/// How trends are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrendFormat {
    /// For people: a bar a day, and what they say together
    Table,
    /// One JSON object a stage and line (NDJSON), with its days inside
    Json,
    /// One line a stage and day, with a header
    Csv,
}

/// A stage and its executions.
#[derive(Debug, Serialize)]
pub struct TrendJson<'a> {
    stage: &'a str,
    judgement: &'static str,
    grows_since: Option<NaiveDate>,
    growth_factor: Option<f64>,
    executions: Vec<ExecutionJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ExecutionJson<'a> {
    business_date: NaiveDate,
    run_id: &'a str,
    days: u64,
    seconds: f64,
    rows_read: u64,
    bytes_read: u64,
    is_judged: bool,
}

impl<'a> From<&'a StageTrend> for TrendJson<'a> {
    fn from(trend: &'a StageTrend) -> Self {
        let (judgement, growth) = match trend.judgement {
            Judgement::TooFew(_) => ("TOO_FEW", None),
            Judgement::Steady => ("STEADY", None),
            Judgement::Grows(growth) => ("GROWS", Some(growth)),
        };
        Self {
            stage: &trend.stage,
            judgement,
            grows_since: growth.map(|growth| growth.since),
            growth_factor: growth.map(|growth| growth.factor),
            executions: trend.executions.iter().map(Into::into).collect(),
        }
    }
}

impl<'a> From<&'a Execution> for ExecutionJson<'a> {
    fn from(execution: &'a Execution) -> Self {
        let Execution { run_id, business_date, days, took, rows_read, bytes_read, is_judged } = execution;
        Self {
            business_date: *business_date,
            run_id,
            days: *days,
            seconds: took.as_secs_f64(),
            rows_read: *rows_read,
            bytes_read: *bytes_read,
            is_judged: *is_judged,
        }
    }
}

/// Writes the executions of all stages as CSV with a header.
///
/// # Errors
/// If they cannot be written.
pub fn write_csv(writer: impl Write, trends: &[StageTrend]) -> Result<(), Error> {
    let mut csv = ::csv::Writer::from_writer(writer);
    csv.write_record([
        "stage",
        "business_date",
        "run_id",
        "days",
        "seconds",
        "rows_read",
        "bytes_read",
        "is_judged",
    ])?;
    for trend in trends {
        for execution in &trend.executions {
            let Execution { run_id, business_date, days, took, rows_read, bytes_read, is_judged } = execution;
            csv.write_record([
                &trend.stage,
                &business_date.to_string(),
                run_id,
                &days.to_string(),
                &took.as_secs_f64().to_string(),
                &rows_read.to_string(),
                &bytes_read.to_string(),
                &is_judged.to_string(),
            ])?;
        }
    }
    Ok(csv.flush()?)
}

#[cfg(test)]
mod tests {
    use presentation::trend::trends;

    use super::*;
    use crate::{format::json, test_runs::creeping};

    fn creeping_trends() -> Vec<StageTrend> {
        trends(&creeping(), "2026-02-10".parse().unwrap())
    }

    #[test]
    fn json_reports_since_when_a_stage_grows() {
        let mut line = Vec::new();
        json::write_line(&mut line, &TrendJson::from(&creeping_trends()[0])).unwrap();
        let trend: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(trend["stage"], "act_call_product_api");
        assert_eq!(trend["judgement"], "GROWS");
        assert!(trend["grows_since"].is_string() && trend["growth_factor"].is_f64(), "{trend}");
        let first = &trend["executions"][0];
        assert_eq!((&first["business_date"], &first["seconds"]), (&"2026-02-10".into(), &3.0.into()));
    }

    #[test]
    fn csv_has_a_line_a_stage_and_day() {
        let mut csv = Vec::new();
        write_csv(&mut csv, &creeping_trends()).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        let lines: Vec<&str> = csv.lines().take(2).collect();
        assert_eq!(
            lines,
            [
                "stage,business_date,run_id,days,seconds,rows_read,bytes_read,is_judged",
                "act_call_product_api,2026-02-10,run-of-10-3,1,3,1000,100000,true",
            ]
        );
        assert_eq!(csv.lines().count(), 12);
    }
}
