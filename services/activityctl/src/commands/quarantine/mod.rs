//! `activityctl quarantine`

mod accept;
mod filter;
mod list;
mod replay;
mod rows;

use clap::{Args, Subcommand};

pub use accept::AcceptArgs;
pub use list::{ListArgs, ShowArgs};
pub use replay::ReplayArgs;

use crate::{connect::ServerArgs, error::Error, output::Output};

const EXAMPLES: &str = "\
Rows that cannot be used are set aside with file, line and reason. What is known of their
companies stays as it is. There are three ways out:

- Mend them at the source: the next run reads a file that has changed, and fetches the last
  days again. `replay` reads and fetches what has not changed or lies further back.
- Have a rule changed (a column, a field, an encoding), then `replay`.
- `accept` them: they stay on record and count no longer, neither in the metric nor towards
  the share of a file or day that may be rejected. A run that failed because of that share
  then goes on with `activityctl retry`.

Examples:
  activityctl quarantine list --by reason
  activityctl quarantine list --date 2026-02-12 --format csv > rows.csv
  activityctl quarantine show crm/companies_2026-02-12.csv 17
  activityctl quarantine accept --origin crm/companies_2026-02-12.csv --why 'test accounts'
  activityctl quarantine replay --date 2026-02-12 --wait";

/// Look at rows that could not be used, accept them, or have them read once more
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct QuarantineArgs {
    #[command(subcommand)]
    command: QuarantineCommand,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    List(ListArgs),
    Show(ShowArgs),
    Accept(AcceptArgs),
    Replay(ReplayArgs),
}

/// Executes a command on the quarantine.
///
/// # Errors
/// If the server refuses, the user does not confirm, or a run that was waited for did not succeed.
pub async fn execute(args: &QuarantineArgs, output: &mut Output) -> Result<(), Error> {
    match &args.command {
        QuarantineCommand::List(list) => list::execute(list, &args.server, output).await,
        QuarantineCommand::Show(show) => list::show(show, &args.server, output).await,
        QuarantineCommand::Accept(accept) => accept::execute(accept, &args.server, output).await,
        QuarantineCommand::Replay(replay) => replay::execute(replay, &args.server, output).await,
    }
}
