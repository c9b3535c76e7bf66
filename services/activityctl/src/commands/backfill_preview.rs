//! `activityctl backfill --dry-run`

use indicatif::HumanCount;
use proto::{
    pipeline::v1::{
        BackfillDays, PreviewBackfillRequest, PreviewBackfillResponse, preview_backfill_response::Update,
    },
    reconciliation::v1::{CompanyDayChange, PreviewSummary},
};

use crate::{
    confirm::ConfirmArgs,
    connect::Connection,
    error::Error,
    format::{RowFormat, json, preview, table},
    output::{Output, notice, printable},
    reach::ask,
    unit_progress::UnitProgress,
};

/// Requests a preview of a backfill and prints it.
///
/// # Errors
/// If the server refuses, the stream breaks or the result cannot be written.
pub async fn run(
    connection: &Connection,
    request: &PreviewBackfillRequest,
    confirm: ConfirmArgs,
    format: RowFormat,
    output: &mut Output,
) -> Result<(), Error> {
    let start = async |beyond_reach| {
        let request = PreviewBackfillRequest { beyond_reach, ..request.clone() };
        Ok(connection.pipeline().preview_backfill(request).await?.into_inner())
    };
    let started = ask(connection, request.force, confirm, start).await;
    let mut found =
        started.map_err(|refusal| refusal.of_newer_call(connection.server(), "PreviewBackfill"))?;
    let mut progress = UnitProgress::for_stderr();
    let (mut sample, mut summary, mut days) = (Vec::new(), None, None);
    while let Some(PreviewBackfillResponse { update }) =
        found.message().await.map_err(|status| connection.failure(status))?
    {
        match update {
            Some(Update::Days(asked)) => days = Some(asked),
            Some(Update::Progress(step)) => progress.show(&step),
            Some(Update::Change(change)) => sample.push(change),
            Some(Update::Summary(outcome)) => summary = Some(outcome),
            // A kind of update from a newer server.
            None => {}
        }
    }
    progress.end();
    match (summary, days) {
        (Some(summary), _) => print(&sample, &summary, format, output),
        (None, Some(BackfillDays { to_run: 0, total })) => {
            notice(format_args!("all {total} days are published: there is nothing to run without --force"));
            Ok(())
        }
        _ => Err(Error::Contract("ended before the preview did")),
    }
}

fn print(
    sample: &[CompanyDayChange],
    summary: &PreviewSummary,
    format: RowFormat,
    output: &mut Output,
) -> Result<(), Error> {
    match format {
        RowFormat::Table => {
            output.table(table::preview_counts(summary))?;
            if !sample.is_empty() {
                output.line("")?;
                output.table(table::preview_sample(sample))?;
            }
        }
        RowFormat::Json => {
            for change in sample {
                json::write_line(output.writer(), &preview::ChangeJson::from(change))?;
            }
            json::write_line(output.writer(), &preview::SummaryJson::from(summary))?;
        }
        RowFormat::Csv => preview::write_csv(output.writer(), sample)?,
    }
    output.flush()?;
    let total = summary.total.unwrap_or_default();
    notice(format_args!(
        "nothing was changed; the backfill would add {}, change {} and remove {} company-days",
        HumanCount(total.new_rows),
        HumanCount(total.changed_rows),
        HumanCount(total.gone_rows),
    ));
    summary.remarks.iter().for_each(|remark| notice(printable(remark)));
    Ok(())
}
