//! The command-line grammar.

use clap::{Parser, Subcommand};

use crate::{
    commands::{
        activity::{self, ActivityArgs},
        alerts::{self, AlertsArgs},
        audit_log::{self, AuditLogArgs},
        audits::{self, AuditsArgs},
        backfill::{self, BackfillArgs},
        cancel::{self, CancelArgs},
        churn::{self, ChurnArgs},
        companies::{self, CompaniesArgs},
        deliveries::{self, DeliveriesArgs},
        explain::{self, ExplainArgs},
        freshness::{self, FreshnessArgs},
        maintain::{self, MaintainArgs},
        migrate::{self, MigrateArgs},
        published_days::{self, DaysArgs},
        quarantine::{self, QuarantineArgs},
        reconcile::{self, ReconcileArgs},
        retry::{self, RetryArgs},
        runs::{self, RunsArgs},
        sample::{SampleApiArgs, SampleArgs},
        sources::SourcesArgs,
        status::{self, StatusArgs},
        trends::{self, TrendsArgs},
        trigger::{self, TriggerArgs},
        unpublish::{self, UnpublishArgs},
        verify::{self, VerifyArgs},
        versions::{self, VersionsArgs},
        watch::{self, WatchArgs},
        whoami::{self, WhoamiArgs},
    },
    demo::DemoArgs,
    error::Error,
    output::Output,
    standalone::StandaloneArgs,
};

const EXAMPLES: &str = "\
Results go to standard output, everything else to standard error. Days are UTC.
Colours and progress bars appear on terminals only; NO_COLOR turns the colours off.

Exit codes: 0 success, 1 failure, 2 wrong usage,
            3 a run that was waited for failed or was cancelled,
            4 published numbers differ from the product API (reconcile).

Examples:
  activityctl demo                                   see it all work, nothing to set up
  activityctl sample --out data                      write sample sources to a folder
  activityctl sample-api --usage data/usage.ndjson   serve them as the product API would
  activityctl sources check --product-api-url URL    see what is understood of your own sources
  activityctl standalone --product-api-url URL       run every service in one process
  activityctl trigger --wait                         publish every day up to yesterday
  activityctl activity list --format csv             read the result
  activityctl reconcile --sample 200                 compare yesterday's numbers with the product API";

/// Company Activity: what did each company do each day, and which ones are about to leave?
#[derive(Debug, Parser)]
#[command(name = "activityctl", version = runtime::VERSION, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Standalone(Box<StandaloneArgs>),
    #[command(flatten)]
    Client(ClientCommand),
    #[command(flatten)]
    Warehouse(WarehouseCommand),
    Sources(Box<SourcesArgs>),
    Sample(SampleArgs),
    SampleApi(SampleApiArgs),
}

/// The commands that talk to a running server.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    Status(StatusArgs),
    Alerts(AlertsArgs),
    Audits(AuditsArgs),
    Trigger(TriggerArgs),
    Runs(RunsArgs),
    Trends(TrendsArgs),
    Watch(WatchArgs),
    Cancel(CancelArgs),
    Retry(RetryArgs),
    Backfill(BackfillArgs),
    Unpublish(UnpublishArgs),
    AuditLog(AuditLogArgs),
    Quarantine(Box<QuarantineArgs>),
    Activity(ActivityArgs),
    Companies(CompaniesArgs),
    Churn(ChurnArgs),
    Days(DaysArgs),
    Explain(ExplainArgs),
    Deliveries(DeliveriesArgs),
    Versions(VersionsArgs),
    Freshness(FreshnessArgs),
    Reconcile(ReconcileArgs),
    Whoami(WhoamiArgs),
}

impl ClientCommand {
    pub(crate) async fn execute(&self, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::Status(args) => status::execute(args, output).await,
            Self::Alerts(args) => alerts::execute(args, output).await,
            Self::Audits(args) => audits::execute(args, output).await,
            Self::Trigger(args) => trigger::execute(args, output).await,
            Self::Runs(args) => runs::execute(args, output).await,
            Self::Trends(args) => trends::execute(args, output).await,
            Self::Watch(args) => watch::execute(args, output).await,
            Self::Cancel(args) => cancel::execute(args, output).await,
            Self::Retry(args) => retry::execute(args, output).await,
            Self::Backfill(args) => backfill::execute(args, output).await,
            Self::Unpublish(args) => unpublish::execute(args, output).await,
            Self::AuditLog(args) => audit_log::execute(args, output).await,
            Self::Quarantine(args) => quarantine::execute(args, output).await,
            Self::Activity(args) => activity::execute(args, output).await,
            Self::Companies(args) => companies::execute(args, output).await,
            Self::Churn(args) => churn::execute(args, output).await,
            Self::Days(args) => published_days::execute(args, output).await,
            Self::Explain(args) => explain::execute(args, output).await,
            Self::Deliveries(args) => deliveries::execute(args, output).await,
            Self::Versions(args) => versions::execute(args, output).await,
            Self::Freshness(args) => freshness::execute(args, output).await,
            Self::Reconcile(args) => reconcile::execute(args, output).await,
            Self::Whoami(args) => whoami::execute(args, output).await,
        }
    }
}

/// The commands that work on the warehouse itself.
#[derive(Debug, Subcommand)]
pub(crate) enum WarehouseCommand {
    Migrate(MigrateArgs),
    Verify(VerifyArgs),
    Maintain(MaintainArgs),
}

impl WarehouseCommand {
    pub(crate) async fn execute(&self, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::Migrate(args) => migrate::execute(args, output).await,
            Self::Verify(args) => verify::execute(args, output).await,
            Self::Maintain(args) => maintain::execute(args, output).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    fn usage_error(line: &str) -> Option<ErrorKind> {
        Cli::try_parse_from(line.split(' ')).err().map(|error| error.kind())
    }

    #[test]
    fn the_grammar_has_no_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_is_documented() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{} {} has no help", command.get_name(), arg.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn every_flag_of_standalone_is_also_an_environment_variable() {
        let command = Cli::command();
        let standalone = command.find_subcommand("standalone").unwrap();
        for flag in standalone.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg.get_env()))) {
            let (name, variable) = flag;
            let expected = match name {
                // The standard name, which operators of collectors set for all programs.
                "otlp-endpoint" => "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
                "otlp-ca-file" => "OTEL_EXPORTER_OTLP_CERTIFICATE".to_owned(),
                name => name.replace('-', "_").to_uppercase(),
            };
            assert_eq!(variable.and_then(|variable| variable.to_str()), Some(expected.as_str()), "--{name}");
        }
    }

    #[test]
    fn days_are_given_as_one_or_as_both_ends() {
        for (line, expected) in [
            ("activityctl trigger", None),
            ("activityctl trigger --date 2026-02-12", None),
            ("activityctl trigger --from 2026-02-01 --to 2026-02-12 --wait --force", None),
            ("activityctl trigger --from 2026-02-01", Some(ErrorKind::MissingRequiredArgument)),
            (
                "activityctl trigger --date 2026-02-12 --to 2026-02-12 --from 2026-02-12",
                Some(ErrorKind::ArgumentConflict),
            ),
            ("activityctl trigger --date 2026-2-12", Some(ErrorKind::ValueValidation)),
        ] {
            assert_eq!(usage_error(line), expected, "{line}");
        }
    }

    #[test]
    fn the_server_may_be_named_before_or_after_a_subcommand() {
        for line in [
            "activityctl runs --server host:1",
            "activityctl runs show r1 --server host:1",
            "activityctl activity --server http://host:1 get acme",
            "activityctl activity get acme --date 2026-02-12 --server host:1",
            "activityctl runs --trigger backfill --trigger manual --from 2026-02-01 --to 2026-02-12",
            "activityctl status --format json",
            "activityctl alerts --open --run r1",
            "activityctl audits r1",
            "activityctl audits --date 2026-02-12",
            "activityctl deliveries --date 2026-02-12",
            "activityctl versions acme --limit 5",
        ] {
            assert_eq!(usage_error(line), None, "{line}");
        }
        for line in ["activityctl audits", "activityctl audits r1 --date 2026-02-12"] {
            assert!(usage_error(line).is_some(), "{line}");
        }
    }
}
