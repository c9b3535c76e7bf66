//! `activityctl alerts`

use clap::Args;
use proto::monitoring::v1::{ListAlertsRequest, RecordedAlert};

use crate::{
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    format::{Format, json, monitoring::AlertJson, table},
    output::Output,
};

/// The most alerts per page that the server allows.
const MAX_PAGE: i32 = 200;

const EXAMPLES: &str = "\
Lists what people were alerted of, whether or not it reached them. An alert is OPEN until
its day has been published: by the retried run, or by a later one over the day.

--format json prints one JSON object a line (NDJSON).

Examples:
  activityctl alerts --open
  activityctl alerts --run 01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11
  activityctl alerts --format json | jq -r 'select(.settle_time == null) | .problem'";

/// List what people were alerted of, the newest alert first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AlertsArgs {
    /// Only alerts of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,

    /// Only open alerts: neither did their run succeed since, nor were all of its days published
    #[arg(long)]
    open: bool,

    /// At most this many alerts
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    server: ServerArgs,
}

/// Lists alerts.
///
/// # Errors
/// If the server refuses.
pub async fn execute(args: &AlertsArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    let alerts = newest(&connection, args).await?;
    match args.format {
        Format::Table => output.table(table::alerts(&alerts))?,
        Format::Json => {
            for alert in alerts.iter().filter_map(AlertJson::new) {
                json::write_line(output.writer(), &alert)?;
            }
        }
    }
    output.flush()
}

async fn newest(connection: &Connection, args: &AlertsArgs) -> Result<Vec<RecordedAlert>, Error> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut request = ListAlertsRequest {
        page_size: i32::try_from(limit).unwrap_or(MAX_PAGE).min(MAX_PAGE),
        page_token: String::new(),
        run_id: args.run.clone().unwrap_or_default(),
        only_open: args.open,
    };
    let mut alerts = Vec::new();
    loop {
        let page = connection.monitoring().list_alerts(request.clone()).await;
        let page = page.map_err(|status| connection.failure_of("ListAlerts", status))?.into_inner();
        alerts.extend(page.alerts);
        request.page_token = page.next_page_token;
        if alerts.len() >= limit || request.page_token.is_empty() {
            alerts.truncate(limit);
            return Ok(alerts);
        }
    }
}
