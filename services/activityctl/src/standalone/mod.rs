//! `activityctl standalone`: every service in one process on one port, and the console on another.

mod console_port;
mod data_folder;
mod events;
mod stage_router;
mod suite;

use std::path::Path;

use clap::Args;
use runtime::{Context, LogWriter, Process, RuntimeArgs, ServerOptions, start_and_serve};
use tracing::info;

pub use console_port::with_console;
use console_port::{ConsoleArgs, ConsoleListen, leads_around_certificates};
pub use data_folder::{DataFolder, DataFolderArgs};
pub use stage_router::StageRouter;
pub use suite::{SuiteOptions, assemble};

use crate::error::Error;

const DEFAULT_DATA_DIR: &str = "./data";

const EXAMPLES: &str = "\
Everything that is not asked for elsewhere lives in the data folder: the warehouse (SQLite),
CRM exports to pick up (crm/daily/*.csv), and what was landed of both sources (landing/). One
process at a time can use a data folder. SIGINT and SIGTERM end it; what was interrupted goes
on after a restart.

Every flag can also be given as an environment variable of its name in capitals.

Examples:
  activityctl standalone --product-api-url https://api.example.com/v1/product-usage \\
      --product-api-token-file token.txt --slack-webhook-url https://hooks.slack.com/...
  activityctl trigger --wait

  With sample sources instead:
  activityctl sample --out data
  activityctl sample-api --usage data/usage.ndjson &
  activityctl standalone --product-api-url http://127.0.0.1:8080/v1/product-usage";

/// Run every service in one process on one port
///
/// Serves runs of the pipeline, company activity, alerts and reconciliation over gRPC, and the
/// console, which shows them in a browser, at http://127.0.0.1:50080.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    mut_arg("data_dir", |data_dir| data_dir.default_value(DEFAULT_DATA_DIR)),
    mut_arg("reflection", |reflection| reflection.default_value("true")),
)]
pub struct StandaloneArgs {
    #[command(flatten)]
    data: DataFolderArgs,

    #[command(flatten)]
    suite: SuiteOptions,

    #[command(flatten, next_help_heading = "Console")]
    console: ConsoleArgs,

    #[command(flatten, next_help_heading = "Server and logs")]
    runtime: RuntimeArgs,
}

/// Serves everything until the context shuts down.
///
/// # Errors
/// If the data folder is in use, a service cannot be assembled or fails.
pub async fn run(args: StandaloneArgs, context: Context) -> Result<(), Error> {
    if args.suite.ingest_api.product_api_url.is_none() {
        return Err(Error::Usage(
            "--product-api-url is missing: name the product API's usage endpoint, or let `activityctl sample-api` serve one"
                .to_owned(),
        ));
    }
    let data_dir = args.data.data_dir.as_deref().unwrap_or(Path::new(DEFAULT_DATA_DIR));
    let folder = DataFolder::open(data_dir)?;
    let suite = args.suite.with_defaults_in(&folder)?;
    let options = ServerOptions::from_args(&args.runtime, &context)?;
    if options.access.is_open() && leads_around_certificates(&args.console, &args.runtime.tls) {
        return Err(Error::Usage(
            "only those with a certificate may call the services, and the console would let in those without one: name \
             a policy with --access-file, or serve no console with --console-listen off"
                .to_owned(),
        ));
    }
    info!(data_dir = %folder.root().display(), "data folder opened");
    let (console, access) = (args.console, options.access.clone());
    let starting = async {
        let suite = assemble(suite, &context).await?;
        let ConsoleListen::At(listen) = console.console_listen else { return Ok(suite) };
        let (suite, site) = with_console(suite, console.options, listen, access, &context)?;
        Ok(suite.with_site(site))
    };
    Ok(Box::pin(start_and_serve(starting, options, context.clone())).await?)
}

/// The process for `args`.
#[must_use]
pub fn process(args: &StandaloneArgs, context: &Context) -> Process {
    Process {
        name: "standalone",
        telemetry: args.runtime.telemetry.clone(),
        log_writer: LogWriter::stdout(),
        admin_listen: args.runtime.admin_listen,
        admin_token_file: args.runtime.admin_token_file.clone(),
        context: context.clone(),
    }
}
