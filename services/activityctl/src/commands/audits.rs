//! `activityctl audits`

use chrono::NaiveDate;
use clap::Args;
use proto::monitoring::v1::{ListAuditResultsRequest, ListAuditResultsResponse};

use crate::{
    connect::{Connection, Patience, ServerArgs},
    days::parse_day,
    error::Error,
    format::{Format, json, monitoring::AuditsJson, table, value::to_the_second},
    output::{Output, printable},
};

const EXAMPLES: &str = "\
Audits judge what a run would publish before it does. BLOCK refuses the publish if the audit
finds anything, WARN lets it go on, OFF skips the audit. The rules are those of the audit file
that the run was judged by (--audit-file of `transform`). Each time that a run is judged
again, as when it is retried, that replaces what was found before.

json is one object with every finding and every measured day.

Examples:
  activityctl audits 01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11
  activityctl audits --date 2026-02-12
  activityctl audits --date 2026-02-12 --format json | jq '.audits[] | select(.finding_count > 0)'";

/// Show what the audits of a run found, or of the run that published a day
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AuditsArgs {
    /// The run's id, as printed by `trigger` and `runs`
    #[arg(value_name = "RUN", required_unless_present = "date", conflicts_with = "date")]
    run_id: Option<String>,

    /// The UTC day: what the run that last published it measured of it
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    date: Option<NaiveDate>,

    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    server: ServerArgs,
}

/// Prints what audits found.
///
/// # Errors
/// If the server refuses.
pub async fn execute(args: &AuditsArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    let request = ListAuditResultsRequest {
        run_id: args.run_id.clone().unwrap_or_default(),
        activity_date: args.date.map(|day| day.to_string()).unwrap_or_default(),
    };
    let audits = connection.monitoring().list_audit_results(request).await;
    let audits = audits.map_err(|status| connection.failure_of("ListAuditResults", status))?.into_inner();
    match args.format {
        Format::Table => print(&audits, output)?,
        Format::Json => json::write_line(output.writer(), &AuditsJson::from(&audits))?,
    }
    output.flush()
}

fn print(audits: &ListAuditResultsResponse, output: &mut Output) -> Result<(), Error> {
    let run_id = printable(&audits.run_id);
    if audits.results.is_empty() {
        return output.line(format_args!(
            "run {run_id} has not been audited yet, or by a release that kept no record of it"
        ));
    }
    let at = to_the_second(audits.audit_time.as_ref());
    output.line(format_args!("run {run_id}, audited {at}\n"))?;
    output.table(table::audit_results(&audits.results))?;
    for result in audits.results.iter().filter(|result| result.finding_count > 0) {
        output.line("")?;
        for finding in &result.findings {
            output.line(format_args!("{}: {}", printable(&result.audit), printable(finding)))?;
        }
        let others = result.finding_count.saturating_sub(result.findings.len() as u64);
        if others > 0 {
            output.line(format_args!("{}: and {others} more", printable(&result.audit)))?;
        }
    }
    output.line("")?;
    output.table(table::measured_days(&audits.days))
}

#[cfg(test)]
mod tests {
    use proto::monitoring::v1::{AuditLevel, AuditResult, MeasuredDay};

    use super::*;
    use crate::output::Captured;

    fn printed(audits: &ListAuditResultsResponse) -> String {
        let captured = Captured::default();
        print(audits, &mut captured.output()).unwrap();
        captured.text()
    }

    #[test]
    fn findings_follow_the_audits_and_say_how_many_there_are() {
        let volume = AuditResult {
            audit: "volume".into(),
            level: AuditLevel::Warn.into(),
            rule: "a thin day".into(),
            findings: vec!["2026-02-12 is thin".into()],
            finding_count: 3,
        };
        let day = MeasuredDay {
            activity_date: "2026-02-12".into(),
            rows: 5,
            expected_rows: 5,
            source_rows: 1_000,
            recent_median_source_rows: Some(95.5),
        };
        let audits = ListAuditResultsResponse {
            run_id: "r1".into(),
            results: vec![volume],
            audit_time: None,
            days: vec![day],
        };
        let text = printed(&audits);
        for expected in
            ["WARN", "a thin day", "volume: 2026-02-12 is thin\nvolume: and 2 more", "1,000", "95.5"]
        {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    #[test]
    fn a_run_without_audits_is_explained() {
        let text = printed(&ListAuditResultsResponse { run_id: "r1".into(), ..Default::default() });
        assert!(text.starts_with("run r1 has not been audited yet"), "{text}");
    }
}
