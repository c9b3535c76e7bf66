//! `activityctl quarantine accept`

use clap::Args;
use indicatif::HumanCount;
use proto::quarantine::v1::{AcceptQuarantinedRowsRequest, QuarantineGrouping, QuarantineState};

use super::{
    filter::FilterArgs,
    rows::{counts, failure},
};
use crate::{
    confirm::{Answer, ConfirmArgs},
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    output::{Output, notice},
};

/// More groups than stages and kinds.
const MAX_GROUPS: u32 = 1_000;

const EXAMPLES: &str = "\
Accepted rows stay on record with who accepted them, when and why. They count no longer, and
nothing that is staged changes: what cannot be read keeps its last known value. An acceptance
holds as long as the row's text and reason stay the same, also when its file is loaded again.

Exit codes: 0 the rows are accepted, or there was none, 1 the command failed, 2 wrong usage or not confirmed.

Examples:
  activityctl quarantine accept --origin crm/companies_2026-02-12.csv --line 17 --why 'a test account'
  activityctl quarantine accept --date 2026-02-12 --reason field --why 'CRM-482: will not be mended' --yes
  activityctl retry RUN --wait                      go on with a run that failed because of them";

/// Declare that rows stay as they are
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AcceptArgs {
    #[command(flatten)]
    filter: FilterArgs,

    /// Why they may stay as they are, for whoever looks later
    #[arg(long, value_name = "TEXT")]
    why: String,

    #[command(flatten)]
    confirm: ConfirmArgs,
}

pub(super) async fn execute(
    args: &AcceptArgs,
    server: &ServerArgs,
    output: &mut Output,
) -> Result<(), Error> {
    if args.filter.is_everything() {
        let problem = "say which rows: --origin, --below, --date, --from and --to, --reason or --stage";
        return Err(Error::Usage(problem.to_owned()));
    }
    let filter = args.filter.filter(QuarantineState::Open)?;
    let connection = Connection::open(server, Patience::Job).await?;
    let groups = counts(&connection, filter.clone(), QuarantineGrouping::Kind, MAX_GROUPS).await?;
    let rows: u64 = groups.iter().map(|group| group.rows).sum();
    if rows == 0 {
        notice("no such row is in quarantine that nobody has accepted");
        return Ok(());
    }
    for group in &groups {
        notice(format_args!("{}: {} rows, {}", group.stage, HumanCount(group.rows), group.kind));
    }
    match args.confirm.ask(&format!("Accept these {} rows as they are?", HumanCount(rows)))? {
        Answer::Yes => {}
        Answer::No => return Err(Error::Usage("nothing was accepted".to_owned())),
        Answer::NobodyThere => {
            return Err(Error::Usage("nobody is there to confirm it: add --yes if it is meant".to_owned()));
        }
    }
    // Whoever confirmed has not seen what came since.
    let request = AcceptQuarantinedRowsRequest {
        filter: Some(filter),
        why: args.why.clone(),
        expected_rows: Some(rows),
    };
    let accepted = connection.quarantine().accept_quarantined_rows(request).await;
    let accepted = accepted.map_err(|status| failure(&connection, status))?.into_inner().accepted;
    output.line(format_args!("accepted {} rows", HumanCount(accepted)))
}
