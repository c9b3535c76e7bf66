//! `QuarantineService`: operators find rows that could not be used, accept them, and have
//! their deliveries loaded again.

use std::sync::Arc;

use async_trait::async_trait;
use contract::message::timestamp_to_proto;
use domain::{DateWindow, OperatorAction};
use proto::quarantine::v1::{
    AcceptQuarantinedRowsRequest, AcceptQuarantinedRowsResponse, Acceptance as AcceptanceProto,
    CountQuarantinedRowsRequest, CountQuarantinedRowsResponse, GetQuarantinedRowRequest,
    GetQuarantinedRowResponse, ListQuarantinedRowsRequest, ListQuarantinedRowsResponse,
    QuarantineCount as QuarantineCountProto, QuarantinedRow as QuarantinedRowProto,
    ReplayQuarantinedRowsRequest, ReplayQuarantinedRowsResponse, ReplayedDelivery,
    quarantine_service_server::QuarantineService,
};
use runtime::{Auditor, Requester};
use tonic::{Request, Response, Status};
use warehouse::{
    Acceptance, Origin, QuarantineCount, QuarantineCursor, QuarantineFilter, QuarantineStore, QuarantinedRow,
    RequestedReplay,
};

use crate::{
    audited::{Done, audited},
    convert,
    error::Error,
    progress::RunView,
    quarantine_request as asked,
    runs::{AskedRun, Runs},
};

/// The most deliveries that an answer names.
const MAX_DELIVERIES: usize = 1_000;

/// Serves `QuarantineService`.
pub(crate) struct QuarantineApi {
    pub(crate) store: Arc<dyn QuarantineStore>,
    pub(crate) runs: Arc<Runs>,
    pub(crate) auditor: Auditor,
}

#[async_trait]
impl QuarantineService for QuarantineApi {
    async fn list_quarantined_rows(
        &self,
        request: Request<ListQuarantinedRowsRequest>,
    ) -> Result<Response<ListQuarantinedRowsResponse>, Status> {
        let ListQuarantinedRowsRequest { filter, page_size, page_token } = request.into_inner();
        let filter = asked::filter(filter.as_ref())?;
        let (limit, after) = (convert::page_size(page_size)?, asked::page_cursor(&page_token)?);
        // One more than requested, to learn whether another page follows.
        let rows = self.store.list_quarantine(&filter, after.as_ref(), limit.saturating_add(1)).await;
        let mut rows = rows.map_err(Error::from)?;
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows
            .last()
            .filter(|_| has_more)
            .map(|row| asked::page_token(&QuarantineCursor { origin: row.origin.clone(), line: row.line }));
        let rows = rows.into_iter().map(quarantined_row).collect();
        Ok(Response::new(ListQuarantinedRowsResponse { rows, next_page_token: next.unwrap_or_default() }))
    }

    async fn get_quarantined_row(
        &self,
        request: Request<GetQuarantinedRowRequest>,
    ) -> Result<Response<GetQuarantinedRowResponse>, Status> {
        let GetQuarantinedRowRequest { origin, line } = request.into_inner();
        let filter = QuarantineFilter {
            origin: Some(Origin::File(origin.clone())),
            line: Some(line),
            ..QuarantineFilter::default()
        };
        let mut rows = self.store.list_quarantine(&filter, None, 1).await.map_err(Error::from)?;
        let row = rows.pop().ok_or(Error::NotQuarantined { origin, line })?;
        Ok(Response::new(GetQuarantinedRowResponse { row: Some(quarantined_row(row)) }))
    }

    async fn count_quarantined_rows(
        &self,
        request: Request<CountQuarantinedRowsRequest>,
    ) -> Result<Response<CountQuarantinedRowsResponse>, Status> {
        let CountQuarantinedRowsRequest { filter, by, max_groups } = request.into_inner();
        let filter = asked::filter(filter.as_ref())?;
        let (by, limit) = (asked::grouping(by)?, asked::max_groups(max_groups)?);
        let groups = self.store.count_quarantine(&filter, by, limit).await.map_err(Error::from)?;
        Ok(Response::new(CountQuarantinedRowsResponse { groups: groups.into_iter().map(count).collect() }))
    }

    async fn accept_quarantined_rows(
        &self,
        request: Request<AcceptQuarantinedRowsRequest>,
    ) -> Result<Response<AcceptQuarantinedRowsResponse>, Status> {
        let (requester, asked) = (Requester::of(&request), request.into_inner());
        let details = format!("{}, because: {}", asked::described(asked.filter.as_ref()), asked.why.trim());
        let action = (OperatorAction::QuarantineAccept, details);
        audited(&self.auditor, &requester, action, self.accept(asked, &requester)).await
    }

    async fn replay_quarantined_rows(
        &self,
        request: Request<ReplayQuarantinedRowsRequest>,
    ) -> Result<Response<ReplayQuarantinedRowsResponse>, Status> {
        let (requester, asked) = (Requester::of(&request), request.into_inner());
        let action = (OperatorAction::QuarantineReplay, asked::described(asked.filter.as_ref()));
        audited(&self.auditor, &requester, action, self.replay(asked, &requester)).await
    }
}

impl QuarantineApi {
    async fn accept(
        &self,
        asked: AcceptQuarantinedRowsRequest,
        requester: &Requester,
    ) -> Result<Done<AcceptQuarantinedRowsResponse>, Status> {
        let AcceptQuarantinedRowsRequest { filter, why, expected_rows } = asked;
        let filter = open(asked::filter(filter.as_ref())?);
        asked::check_meant(&filter, expected_rows)?;
        let acceptance =
            Acceptance { at: self.runs.clock.now(), by: requester.name.clone(), why: asked::why(&why)? };
        let accepted = self.store.accept_quarantined(&filter, &acceptance, expected_rows).await;
        let accepted = accepted.map_err(Error::from)?;
        let answer = AcceptQuarantinedRowsResponse { accepted };
        Ok(Done { answer, message: format!("rows accepted: {accepted}") })
    }

    /// The days of a run that replays: stages load what is marked, whatever the days, and
    /// what changes is published wherever it lies. So one published day is enough, and
    /// nothing is published that was not. `None` if nothing is published: the days that
    /// the schedule begins with.
    async fn window(&self) -> Result<Option<DateWindow>, Error> {
        let published = self.runs.published.freshness().await?;
        Ok(published.map(|found| DateWindow::day(found.newest.activity_date)))
    }

    /// Marks the deliveries first: if this ends before there is a run, the next one loads
    /// them.
    async fn replay(
        &self,
        asked: ReplayQuarantinedRowsRequest,
        requester: &Requester,
    ) -> Result<Done<ReplayQuarantinedRowsResponse>, Status> {
        let ReplayQuarantinedRowsRequest { pipeline, filter } = asked;
        convert::check_pipeline(&pipeline, &self.runs.pipeline.name).map_err(Error::from)?;
        let filter = asked::filter(filter.as_ref())?;
        let requested = self.store.request_replay(&filter, self.runs.clock.now()).await;
        let requested = requested.map_err(Error::from)?;
        let waiting = requested.iter().filter(|delivery| delivery.was_loaded).count();
        let delivery_count = requested.len() as u64;
        let deliveries = requested.into_iter().take(MAX_DELIVERIES).map(delivery).collect();
        if waiting == 0 {
            let message = match delivery_count {
                0 => "no such row is in quarantine".to_owned(),
                count => format!(
                    "files and days that are not loaded, of which nothing is to be read again: {count}"
                ),
            };
            let answer = ReplayQuarantinedRowsResponse { deliveries, delivery_count, ..Default::default() };
            return Ok(Done { answer, message });
        }
        // They wait whether or not there is a run: whoever asked must not think that nothing happened.
        let (view, created) = self.replaying_run(requester).await.map_err(|error| {
            let status = Status::from(error);
            let message = format!(
                "files and days that wait to be loaded again: {waiting}; no run could be started, the next one \
                 loads them: {}",
                status.message()
            );
            Status::with_details(status.code(), message, status.details().to_vec().into())
        })?;
        let message = format!(
            "files and days to load again: {waiting}; run {} {}",
            view.run.run_id,
            if created { "created" } else { "found" }
        );
        let run = Some(convert::run(&view));
        let answer = ReplayQuarantinedRowsResponse { deliveries, run, created, delivery_count };
        Ok(Done { answer, message })
    }

    async fn replaying_run(&self, requester: &Requester) -> Result<(RunView, bool), Error> {
        let asked = AskedRun { window: self.window().await?, force: true, ..AskedRun::default() };
        self.runs.trigger(asked, &requester.name).await
    }
}

/// Only rows that nobody has accepted: the others stay as they are.
fn open(filter: QuarantineFilter) -> QuarantineFilter {
    QuarantineFilter { accepted: Some(false), ..filter }
}

fn quarantined_row(row: QuarantinedRow) -> QuarantinedRowProto {
    QuarantinedRowProto {
        origin: row.origin,
        line: row.line,
        stage: row.stage,
        kind: row.kind.as_str().to_owned(),
        reason: row.reason,
        raw: row.raw,
        business_date: row.business_date.map(|day| day.to_string()).unwrap_or_default(),
        run_id: row.run_id.to_string(),
        quarantine_time: Some(timestamp_to_proto(row.quarantined_at)),
        acceptance: row.accepted.map(|Acceptance { at, by, why }| AcceptanceProto {
            accept_time: Some(timestamp_to_proto(at)),
            accepted_by: by,
            why,
        }),
    }
}

fn count(group: QuarantineCount) -> QuarantineCountProto {
    QuarantineCountProto {
        stage: group.stage,
        kind: group.kind.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        origin: group.origin.unwrap_or_default(),
        business_date: group.business_date.map(|day| day.to_string()).unwrap_or_default(),
        rows: group.rows,
    }
}

fn delivery(requested: RequestedReplay) -> ReplayedDelivery {
    let RequestedReplay { stage, origin, business_date, rows, was_loaded } = requested;
    let business_date = business_date.map(|day| day.to_string()).unwrap_or_default();
    ReplayedDelivery { stage, origin, business_date, rows, was_loaded }
}

#[cfg(test)]
mod tests {
    use proto::quarantine::v1::QuarantineState;

    use super::*;

    #[test]
    fn accepted_rows_are_left_alone() {
        let asked = asked::filter(Some(&proto::quarantine::v1::QuarantineFilter {
            state: QuarantineState::Accepted.into(),
            ..Default::default()
        }));
        assert_eq!(open(asked.unwrap()).accepted, Some(false));
    }
}
