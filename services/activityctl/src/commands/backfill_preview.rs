//! `activityctl backfill --dry-run`

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use proto::{
    pipeline::v1::{
        BackfillDays, PreviewBackfillRequest, PreviewBackfillResponse, preview_backfill_response::Update,
    },
    reconciliation::v1::{CompanyDayChange, PreviewSummary},
    stage::v1::StageProgress,
};
use tonic::Code;

use crate::{
    confirm::ConfirmArgs,
    connect::Connection,
    error::Error,
    format::{RowFormat, json, preview, table},
    output::{Output, has_interactive_stderr, notice, printable},
    reach::ask,
};

const UNITS: &str = "  {bar:24.cyan} {pos:>5}/{len:<5} {elapsed:>5}  {wide_msg}";

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
    let mut found = started.map_err(|refusal| unknown_call(refusal, connection))?;
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

/// A coordinator of a release before previews had a call of their own has no words for its refusal.
fn unknown_call(refusal: Error, connection: &Connection) -> Error {
    match refusal {
        Error::Refused(status) if status.code() == Code::Unimplemented => {
            Error::OlderCoordinator { server: connection.server().to_owned(), call: "PreviewBackfill" }
        }
        other => other,
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

/// Progress of work counted in units: a bar on a terminal, elsewhere a line at
/// the start and end of each phase.
#[derive(Debug)]
struct UnitProgress {
    bar: Option<ProgressBar>,
    reported: Option<(u64, bool)>,
}

impl UnitProgress {
    fn for_stderr() -> Self {
        let bar = has_interactive_stderr().then(|| {
            let style = ProgressStyle::with_template(UNITS).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::no_length().with_style(style.progress_chars("━╸─"))
        });
        Self { bar, reported: None }
    }

    fn show(&mut self, step: &StageProgress) {
        if let Some(bar) = &self.bar {
            bar.set_length(step.units_total);
            bar.set_position(step.units_done);
            bar.set_message(printable(&step.activity));
        } else {
            self.changes(step).into_iter().for_each(notice);
        }
    }

    /// The new line since the last step, if any.
    fn changes(&mut self, step: &StageProgress) -> Option<String> {
        let now = Some((step.units_total, step.units_done == step.units_total));
        let is_new = self.reported != now;
        self.reported = now;
        let line = || format!("{}/{} {}", step.units_done, step.units_total, printable(&step.activity));
        is_new.then(line)
    }

    fn end(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_reported_at_its_beginning_and_its_end() {
        let mut progress = UnitProgress { bar: None, reported: None };
        let step = |units_done, units_total, activity: &str| StageProgress {
            units_done,
            units_total,
            activity: activity.to_owned(),
            ..StageProgress::default()
        };
        let lines: Vec<String> = [
            step(0, 3, "2026-01-01 page 1"),
            step(2, 3, "2026-01-02 compared"),
            step(3, 3, "2026-01-03 compared"),
            step(1, 2, "computing days"),
        ]
        .iter()
        .filter_map(|step| progress.changes(step))
        .collect();
        assert_eq!(lines, ["0/3 2026-01-01 page 1", "3/3 2026-01-03 compared", "1/2 computing days"]);
        ProgressStyle::with_template(UNITS).unwrap();
    }
}
