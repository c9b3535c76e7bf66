//! `activityctl audit-log`

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use clap::{Args, builder::PossibleValuesParser};
use contract::message::timestamp_to_proto;
use domain::OperatorAction;
use proto::pipeline::v1::{AuditEntry, ListAuditEntriesRequest};
use runtime::{Clock, SystemClock};

use crate::{
    connect::{Connection, Patience, ServerArgs},
    days::parse_day,
    error::Error,
    format::{Format, json, table},
    output::Output,
};

/// The most entries per page that the server allows.
const MAX_PAGE: i32 = 200;

const EXAMPLES: &str = "\
Each action has one entry: who asked for it, when and from where, and how it ended. REFUSED
means that it made no sense or that the pipeline's state forbade it, FAILED that something
broke, UNKNOWN that the end was not recorded: the action is not over, or its program was
killed before. What became of a run is in the run, see `activityctl runs`. Calls that access
refuses are in the server's log only, and whoever only reads leaves no entry.

ACTOR is the caller's name, `anonymous` where callers are not asked who they are, and
`local:<user>` for commands that open the warehouse themselves.

--format json prints one JSON object a line (NDJSON).

Examples:
  activityctl audit-log
  activityctl audit-log --since 7d --action cancel --action retry
  activityctl audit-log --since 2026-02-01 --limit 1000 --format json
  activityctl audit-log --format json | jq -r 'select(.outcome != \"SUCCEEDED\") | .message'";

/// List what operators did, the newest action first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AuditLogArgs {
    /// Only actions since this UTC day, or of this long ago: 2026-02-01, 36h, 7d
    #[arg(long, value_name = "DAY|DURATION")]
    since: Option<Since>,

    /// Only this action; may be repeated
    #[arg(long, value_name = "ACTION", value_parser = PossibleValuesParser::new(OperatorAction::ALL.map(OperatorAction::as_str)))]
    action: Vec<String>,

    /// At most this many entries
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    server: ServerArgs,
}

/// The time of the first action to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    At(DateTime<Utc>),
    Ago(Duration),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(day) = parse_day(text) {
            return Ok(Self::At(day.and_time(NaiveTime::MIN).and_utc()));
        }
        let ago = humantime::parse_duration(text);
        ago.map(Self::Ago).map_err(|_| "write a UTC day as YYYY-MM-DD, or a duration such as 36h".to_owned())
    }
}

impl Since {
    /// The time itself, not before 1970: the contract has no times before year 1.
    fn as_of(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(time) => time,
            Self::Ago(ago) => {
                let earlier = TimeDelta::from_std(ago).ok().and_then(|ago| now.checked_sub_signed(ago));
                earlier.unwrap_or_default().max(DateTime::UNIX_EPOCH)
            }
        }
    }
}

/// Lists the audit trail.
///
/// # Errors
/// If the server refuses.
pub async fn execute(args: &AuditLogArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    list(&connection, args, SystemClock.now(), output).await
}

/// Lists the audit trail of a server, as of `now`.
///
/// # Errors
/// If the server refuses.
pub async fn list(
    connection: &Connection,
    args: &AuditLogArgs,
    now: DateTime<Utc>,
    output: &mut Output,
) -> Result<(), Error> {
    let entries = newest(connection, args, now).await?;
    match args.format {
        Format::Table => output.table(table::audit_entries(&entries))?,
        Format::Json => {
            for entry in &entries {
                json::write_line(output.writer(), &json::AuditEntryJson::from(entry))?;
            }
        }
    }
    output.flush()
}

async fn newest(
    connection: &Connection,
    args: &AuditLogArgs,
    now: DateTime<Utc>,
) -> Result<Vec<AuditEntry>, Error> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut request = ListAuditEntriesRequest {
        page_size: i32::try_from(limit).unwrap_or(MAX_PAGE).min(MAX_PAGE),
        page_token: String::new(),
        since: args.since.map(|since| timestamp_to_proto(since.as_of(now))),
        actions: args.action.clone(),
    };
    let mut entries = Vec::new();
    loop {
        let page = connection.pipeline().list_audit_entries(request.clone()).await;
        let page = page.map_err(|status| connection.failure_of("ListAuditEntries", status))?;
        let page = page.into_inner();
        entries.extend(page.entries);
        request.page_token = page.next_page_token;
        if entries.len() >= limit || request.page_token.is_empty() {
            entries.truncate(limit);
            return Ok(entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_day_or_a_duration() {
        let now: DateTime<Utc> = "2026-02-14T06:00:00Z".parse().unwrap();
        for (text, time) in [
            ("2026-02-01", "2026-02-01T00:00:00Z"),
            ("36h", "2026-02-12T18:00:00Z"),
            ("7d", "2026-02-07T06:00:00Z"),
            ("9999years", "1970-01-01T00:00:00Z"),
        ] {
            let since: Since = text.parse().unwrap();
            assert_eq!(since.as_of(now), time.parse::<DateTime<Utc>>().unwrap(), "{text}");
        }
        assert!("yesterday".parse::<Since>().is_err());
    }
}
