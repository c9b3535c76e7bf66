//! `activityctl reconcile --heal`: runs the days that differ again.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use contract::message::{difference_kind_from_proto, window_to_proto};
use domain::{DateWindow, DifferenceKind, date_window::parse_day};
use proto::{pipeline::v1::TriggerRunRequest, reconciliation::v1::Mismatch};

use super::reconcile::Compared;
use crate::{
    connect::Connection,
    error::Error,
    follow::{FollowArgs, follow_to_success},
    output::notice,
    progress::RunProgress,
};

/// The most days of a run, as of a backfill.
const RUN_DAYS: u64 = 31;

/// The days that differ, and whether loading them again is not enough.
#[derive(Debug, Default)]
pub(crate) struct DifferingDays {
    needs_rebuild: BTreeMap<NaiveDate, bool>,
}

impl DifferingDays {
    /// Notes the day of a difference.
    ///
    /// # Errors
    /// If the server's day is none.
    pub(crate) fn note(&mut self, mismatch: &Mismatch) -> Result<(), Error> {
        let day = parse_day(&mismatch.activity_date).ok_or(Error::Contract("has a day that is none"))?;
        // Of a server that does not say why they differ, it is safe to do too much.
        let needs_rebuild = mismatch.needs_rebuild || difference_kind_from_proto(mismatch.kind).is_none();
        *self.needs_rebuild.entry(day).or_default() |= needs_rebuild;
        Ok(())
    }

    /// The days as windows without others between them, none longer than a run may be.
    pub(crate) fn windows(&self) -> Vec<DateWindow> {
        let windows = DateWindow::covering(&self.needs_rebuild.keys().copied().collect());
        windows.into_iter().flat_map(|window| window.chunks(RUN_DAYS)).collect()
    }

    fn request(&self, window: DateWindow) -> TriggerRunRequest {
        let rebuilt = window.days().filter(|day| self.needs_rebuild.get(day).copied().unwrap_or_default());
        TriggerRunRequest {
            window: Some(window_to_proto(window)),
            force: true,
            rebuild_days: rebuilt.map(|day| day.to_string()).collect(),
            ..TriggerRunRequest::default()
        }
    }
}

/// Runs the days again, one window after the other; returns the last run that failed.
///
/// # Errors
/// If the server refuses or is away too long.
pub(crate) async fn heal(
    connection: &Connection,
    days: &DifferingDays,
    follow: &FollowArgs,
) -> Result<Option<Error>, Error> {
    let mut unsuccessful = None;
    for window in days.windows() {
        let request = days.request(window);
        let asks_rebuild = !request.rebuild_days.is_empty();
        let response = connection.pipeline().trigger_run(request).await;
        let run = response.map_err(|status| connection.failure(status))?.into_inner().run;
        let run = run.ok_or(Error::Contract("has no run"))?;
        if asks_rebuild && run.rebuild_days.is_empty() {
            // It ignored a field that it does not know, and started an ordinary run.
            let server = connection.server().to_owned();
            return Err(Error::OlderCoordinator { server, call: "rebuild" });
        }
        notice(format_args!("running {window} again: run {}", run.run_id));
        let followed =
            follow_to_success(connection, &run.run_id, follow, &mut RunProgress::for_stderr()).await;
        match followed {
            Ok(_) => {}
            // The other days may be healed all the same.
            Err(failure @ Error::RunUnsuccessful(_)) => {
                notice(format_args!("{window} is not healed: {failure}"));
                unsuccessful = Some(failure);
            }
            Err(other) => return Err(other),
        }
    }
    Ok(unsuccessful)
}

/// What to do about differences that remain although their days ran again.
pub(crate) fn remedy(remains: &Compared) -> String {
    let quarantined = |kind: &i32| difference_kind_from_proto(*kind) == Some(DifferenceKind::Quarantined);
    let mut remedy = " after their days ran again".to_owned();
    if remains.kinds.iter().any(quarantined) {
        remedy.push_str(
            ". Records that cannot be read stay quarantined until the source is mended: see \
             `activityctl quarantine list`",
        );
    }
    if !remains.kinds.iter().all(quarantined) {
        remedy.push_str(". If the source changes all the time, heal again");
    }
    remedy
}

#[cfg(test)]
mod tests {
    use proto::reconciliation::v1::DifferenceKind as Kind;

    use super::*;

    fn differing(found: &[(&str, Kind, bool)]) -> DifferingDays {
        let mut days = DifferingDays::default();
        for (day, kind, needs_rebuild) in found {
            let mismatch = Mismatch {
                activity_date: (*day).into(),
                kind: (*kind).into(),
                needs_rebuild: *needs_rebuild,
                ..Mismatch::default()
            };
            days.note(&mismatch).unwrap();
        }
        days
    }

    #[test]
    fn days_side_by_side_are_one_run_and_only_what_was_changed_here_is_rebuilt() {
        let days = differing(&[
            ("2026-02-03", Kind::LateAtSource, false),
            ("2026-02-01", Kind::CorrectedAtSource, false),
            ("2026-02-04", Kind::DiffersHere, true),
            ("2026-02-04", Kind::LateAtSource, false),
            // What waits needs none.
            ("2026-02-05", Kind::DiffersHere, false),
            ("2026-02-07", Kind::Unspecified, false),
        ]);
        let asked: Vec<(String, Vec<String>)> = days
            .windows()
            .into_iter()
            .map(|window| (window.to_string(), days.request(window).rebuild_days))
            .collect();
        assert_eq!(
            asked,
            [
                ("2026-02-01".to_owned(), vec![]),
                ("2026-02-03..2026-02-05".to_owned(), vec!["2026-02-04".to_owned()]),
                ("2026-02-07".to_owned(), vec!["2026-02-07".to_owned()]),
            ]
        );
        assert!(days.windows().into_iter().all(|window| days.request(window).force));
    }

    #[test]
    fn what_only_the_source_can_mend_is_said() {
        let remains = |kinds: &[Kind]| {
            let kinds = kinds.iter().map(|kind| i32::from(*kind)).collect();
            remedy(&Compared { kinds, ..Compared::default() })
        };
        let quarantined = remains(&[Kind::Quarantined]);
        assert!(quarantined.contains("`activityctl quarantine list`"), "{quarantined}");
        assert!(!quarantined.contains("heal again"), "{quarantined}");
        assert!(remains(&[Kind::LateAtSource]).ends_with("heal again"));
    }
}
