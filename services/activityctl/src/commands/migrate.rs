//! `activityctl migrate`

use anyhow::Context as _;
use clap::Args;
use domain::OperatorAction;
use runtime::WarehouseArgs;
use warehouse::MigrationReport;

use crate::{error::Error, local_audit, output::Output};

const EXAMPLES: &str = "\
Migrations only ever add to the schema, and each is applied once: run it as often as you
like, also from several processes at the same time. Services of the role that owns the
schema do the same when they start; running it beforehand lets them do without the right
to change the schema. On Postgres it also gives the roles activity_writer and
activity_reader their rights, if they exist. A schema that a newer version has migrated is
left as it is.

Examples:
  activityctl migrate --warehouse-url postgres://owner:password@db:5432/activity
  activityctl migrate --warehouse-url sqlite:///var/lib/activity/warehouse.sqlite";

/// Help text on the warehouse, shared by the commands that open one themselves.
pub(super) const WAREHOUSE_HELP: &str =
    "The warehouse: sqlite:///path/to/file, or postgres://user:password@host:5432/database";

/// Create a warehouse's schema, or bring it up to date
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("warehouse_url", |arg| arg.help(WAREHOUSE_HELP)))]
pub struct MigrateArgs {
    #[command(flatten)]
    warehouse: WarehouseArgs,
}

/// Brings the schema up to date and prints what that took.
///
/// # Errors
/// If the warehouse cannot be reached or migrated.
pub async fn execute(args: &MigrateArgs, output: &mut Output) -> Result<(), Error> {
    let url = &args.warehouse.warehouse_url;
    let report = warehouse::migrate(url).await.context("cannot migrate the warehouse")?;
    print_report(&report, output)?;
    record(url, &report).await
}

/// Records the migration in the audit trail, which it may just have created.
async fn record(url: &str, report: &MigrationReport) -> Result<(), Error> {
    let warehouse = warehouse::open(url).await.context("the audit trail cannot be opened")?;
    let details = format!("schema version {}", report.version);
    let recorded = local_audit::begin(&warehouse, OperatorAction::Migrate, &details).await?;
    let applied = format!("{} migrations applied", report.applied.len());
    local_audit::end(recorded, Ok(()), &applied).await
}

fn print_report(report: &MigrationReport, output: &mut Output) -> Result<(), Error> {
    match report.version_before {
        Some(version) => output.line(format_args!("schema version before: {version}"))?,
        None => output.line("schema version before: none")?,
    }
    for migration in &report.applied {
        output.line(format_args!("applied {migration}"))?;
    }
    if report.applied.is_empty() {
        output.line("nothing to apply")?;
    }
    for migration in &report.unknown {
        output.line(format_args!(
            "found {migration:04}, which this program does not know (none after {:04}) but can work with",
            report.newest_known
        ))?;
    }
    output.line(format_args!("schema version now: {}", report.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Captured;

    async fn reported(url: &str) -> String {
        let captured = Captured::default();
        let args = MigrateArgs { warehouse: WarehouseArgs { warehouse_url: url.to_owned() } };
        execute(&args, &mut captured.output()).await.unwrap();
        captured.text()
    }

    #[tokio::test]
    async fn a_migration_reports_what_it_found_and_did() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/new/warehouse.sqlite", folder.path().display());
        let first = reported(&url).await;
        assert!(first.starts_with("schema version before: none\napplied 0001_foundation\n"), "{first}");
        let again = reported(&url).await;
        let version = again.lines().next().unwrap().trim_start_matches("schema version before: ");
        assert_eq!(
            again,
            format!("schema version before: {version}\nnothing to apply\nschema version now: {version}\n")
        );
        assert!(first.ends_with(&format!("schema version now: {version}\n")), "{first}");
        let trail = warehouse::open(&url).await.unwrap();
        let entries = trail.audit_entries(&warehouse::AuditQuery::default(), 10).await.unwrap();
        assert_eq!(entries.len(), 2);
        for entry in entries {
            assert!(entry.action == "migrate" && entry.actor.starts_with("local:"), "{entry:?}");
            assert_eq!((entry.details, entry.end.is_some()), (format!("schema version {version}"), true));
        }
    }

    #[test]
    fn a_newer_schema_is_reported_migration_by_migration() {
        let report = MigrationReport {
            version_before: Some(7),
            version: 7,
            newest_known: 5,
            applied: vec![],
            unknown: vec![6, 7],
        };
        let captured = Captured::default();
        print_report(&report, &mut captured.output()).unwrap();
        assert_eq!(
            captured.text(),
            "schema version before: 7\nnothing to apply\n\
             found 0006, which this program does not know (none after 0005) but can work with\n\
             found 0007, which this program does not know (none after 0005) but can work with\n\
             schema version now: 7\n"
        );
    }

    #[tokio::test]
    async fn a_location_without_an_engine_is_refused() {
        let args = MigrateArgs { warehouse: WarehouseArgs { warehouse_url: "mysql://db".to_owned() } };
        let error = execute(&args, &mut Captured::default().output()).await.unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("names no known engine"), "{error}");
    }
}
