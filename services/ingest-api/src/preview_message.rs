//! Converts previews to messages, and requests to previews.

use std::collections::BTreeMap;

use contract::{
    FieldViolations,
    message::{fact_row_to_proto, progress_to_proto, window_from_proto},
};
use domain::DateWindow;
use proto::reconciliation::v1::{
    CompanyDayChange as CompanyDayChangeProto, PreviewCounts, PreviewMonth, PreviewRequest, PreviewResponse,
    PreviewSummary, preview_response::Update,
};
use warehouse::{CompanyDayChange, DayChanges, PreviewOutcome};

use crate::{
    error::Error,
    preview::{MAX_SAMPLE, Preview, Step},
};

/// What a preview never covers.
const CRM_REMARK: &str = "CRM exports that are not loaded yet are not part of the preview: the backfill loads \
                          them first, and what they change comes on top";

/// The requested preview.
///
/// # Errors
/// What is wrong with the request, by field.
pub(crate) fn parse(request: &PreviewRequest) -> Result<Preview, Error> {
    let mut violations = FieldViolations::default();
    let windows: Vec<DateWindow> = request
        .windows
        .iter()
        .filter_map(|window| violations.keep("windows", window_from_proto(window)))
        .collect();
    if windows.windows(2).any(|pair| matches!(pair, [before, after] if after.start() <= before.end())) {
        violations.add("windows", "must be in order and not overlap");
    }
    if request.sample_size > MAX_SAMPLE {
        violations.add("sample_size", format_args!("{} is more than {MAX_SAMPLE}", request.sample_size));
    }
    if violations.is_empty() {
        Ok(Preview { windows, sample: request.sample_size })
    } else {
        Err(violations.into())
    }
}

/// The messages of a step.
pub(crate) fn messages(step: Step) -> Vec<PreviewResponse> {
    let updates = match step {
        Step::Progress(progress) => vec![Update::Progress(progress_to_proto(&progress))],
        Step::Done { outcome, rejected } => {
            let summary = summary(&outcome, rejected);
            let sample = outcome.sample.into_iter().map(|change| Update::Change(change_to_proto(change)));
            sample.chain([Update::Summary(summary)]).collect()
        }
    };
    updates.into_iter().map(|update| PreviewResponse { update: Some(update) }).collect()
}

fn change_to_proto(CompanyDayChange { old, new }: CompanyDayChange) -> CompanyDayChangeProto {
    let mut new_row = new.map(fact_row_to_proto);
    if let Some(row) = &mut new_row {
        // It is not published yet.
        row.loaded_at = None;
    }
    CompanyDayChangeProto { old_row: old.map(fact_row_to_proto), new_row }
}

fn summary(outcome: &PreviewOutcome, rejected: u64) -> PreviewSummary {
    let mut total = PreviewCounts::default();
    let mut months: BTreeMap<String, PreviewCounts> = BTreeMap::new();
    for day in &outcome.days {
        add(&mut total, day);
        add(months.entry(day.day.format("%Y-%m").to_string()).or_default(), day);
    }
    let months = months.into_iter().map(|(month, counts)| PreviewMonth { month, counts: Some(counts) });
    let mut remarks = vec![CRM_REMARK.to_owned()];
    if rejected > 0 {
        remarks.push(format!("{rejected} records of the product API are no valid usage and do not count"));
    }
    if outcome.is_outdated {
        remarks
            .push("something was loaded or published meanwhile: preview again for exact numbers".to_owned());
    }
    PreviewSummary { total: Some(total), months: months.collect(), remarks }
}

fn add(counts: &mut PreviewCounts, day: &DayChanges) {
    let differs = day.new + day.changed + day.gone > 0;
    counts.new_days += u32::from(!day.is_published);
    counts.changed_days += u32::from(day.is_published && differs);
    counts.unchanged_days += u32::from(day.is_published && !differs);
    counts.new_rows += day.new;
    counts.changed_rows += day.changed;
    counts.gone_rows += day.gone;
    counts.unchanged_rows += day.unchanged;
}

#[cfg(test)]
mod tests {
    use domain::date_window::parse_day;
    use proto::stage::v1::DateWindow as DateWindowProto;

    use super::*;

    fn request(windows: &[(&str, &str)], sample_size: u32) -> PreviewRequest {
        let window = |(start, end): &(&str, &str)| DateWindowProto {
            start_date: (*start).to_owned(),
            end_date: (*end).to_owned(),
        };
        PreviewRequest { windows: windows.iter().map(window).collect(), sample_size }
    }

    #[test]
    fn windows_must_be_in_order_and_the_sample_bounded() {
        let asked = parse(&request(&[("2026-01-01", "2026-01-02"), ("2026-01-03", "2026-01-03")], 1000));
        assert_eq!(asked.unwrap().windows.len(), 2);
        for (wrong, field) in [
            (request(&[("2026-01-01", "2026-01-02"), ("2026-01-02", "2026-01-03")], 0), "windows"),
            (request(&[("2026-01-02", "2026-01-01")], 0), "windows"),
            (request(&[("soon", "2026-01-01")], 0), "windows"),
            (request(&[], 1001), "sample_size"),
        ] {
            let Error::InvalidRequest(violations) = parse(&wrong).unwrap_err() else { panic!("{wrong:?}") };
            assert_eq!(violations.iter().map(|(field, _)| field).collect::<Vec<_>>(), [field]);
        }
    }

    #[test]
    fn counts_add_up_by_month_and_in_total() {
        let day = |text: &str, is_published, changed| DayChanges {
            day: parse_day(text).unwrap(),
            is_published,
            new: 1,
            changed,
            gone: 0,
            unchanged: 2,
        };
        let days = vec![
            day("2026-01-31", true, 3),
            day("2026-02-01", false, 0),
            DayChanges { new: 0, ..day("2026-02-02", true, 0) },
        ];
        let summary = summary(&PreviewOutcome { days, sample: vec![], is_outdated: true }, 4);
        let reported = |counts: PreviewCounts| {
            let days = [counts.new_days, counts.changed_days, counts.unchanged_days];
            (days, [counts.new_rows, counts.changed_rows, counts.gone_rows, counts.unchanged_rows])
        };
        let months: Vec<_> = summary
            .months
            .iter()
            .map(|month| (month.month.as_str(), reported(month.counts.unwrap())))
            .collect();
        assert_eq!(months, [("2026-01", ([0, 1, 0], [1, 3, 0, 2])), ("2026-02", ([1, 0, 1], [1, 0, 0, 4]))]);
        assert_eq!(reported(summary.total.unwrap()), ([1, 1, 1], [2, 3, 0, 6]));
        assert_eq!(summary.remarks.len(), 3);
    }
}
