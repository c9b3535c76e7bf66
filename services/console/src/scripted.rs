//! Services that answer as a test says.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderValue, Method, Request as HttpRequest, Response as HttpResponse, StatusCode, header},
};
use chrono::DateTime;
use futures::{Stream, StreamExt};
use presentation::run_end::has_ended;
use proto::{
    access::v1::{
        GetCallerRequest, GetCallerResponse, Role,
        access_service_server::{AccessService, AccessServiceServer},
    },
    monitoring::v1::{
        GetPipelineStatusRequest, GetPipelineStatusResponse, ListAlertsRequest, ListAlertsResponse,
        ListAuditResultsRequest, ListAuditResultsResponse, ListReconciliationsRequest,
        ListReconciliationsResponse,
        monitoring_service_server::{MonitoringService, MonitoringServiceServer},
    },
    pipeline::v1::{
        BackfillRequest, BackfillResponse, CancelRunRequest, CancelRunResponse, ExplainRequest,
        ExplainResponse, GetRunRequest, GetRunResponse, ListAuditEntriesRequest, ListAuditEntriesResponse,
        ListRunsRequest, ListRunsResponse, PreviewBackfillRequest, PreviewBackfillResponse, ReconcileRequest,
        ReconcileResponse, RetryRunRequest, RetryRunResponse, Run, TriggerRunRequest, TriggerRunResponse,
        UnpublishDaysRequest, UnpublishDaysResponse, WatchRunRequest, WatchRunResponse,
        pipeline_service_server::{PipelineService, PipelineServiceServer},
    },
};
use runtime::{Context, Served, Service, StoppedClock};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{UnboundedReceiverStream, WatchStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait, service::Routes};
use tower::ServiceExt;

use crate::{backend::Backend, config::Options, site::assemble};

type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Where a browser on this machine finds the console.
const HOST: &str = "localhost:50080";

/// What the services know and say.
pub(crate) struct Script {
    /// The one run there is.
    pub(crate) run: watch::Sender<Run>,
    /// The answer to a listing.
    pub(crate) runs: Mutex<ListRunsResponse>,
    pub(crate) audits: Mutex<Result<ListAuditResultsResponse, Status>>,
    pub(crate) alerts: Mutex<ListAlertsResponse>,
    /// What actions and reads of the run are refused with.
    pub(crate) refusal: Mutex<Option<Status>>,
    pub(crate) preview: Mutex<Vec<PreviewBackfillResponse>>,
    /// The other end of the backfill's stream.
    pub(crate) backfill: Mutex<Option<mpsc::UnboundedSender<Result<BackfillResponse, Status>>>>,
    /// What was asked for, in order.
    pub(crate) asked: Mutex<Vec<String>>,
    /// Open watches, and all there were.
    pub(crate) open_watches: Arc<AtomicUsize>,
    pub(crate) watches: AtomicUsize,
    /// Whether whoever calls may not act.
    pub(crate) is_reader_only: AtomicBool,
    /// Whether they may not even look.
    pub(crate) has_no_role: AtomicBool,
    /// Breaks every watch.
    pub(crate) break_watches: Mutex<CancellationToken>,
}

impl Script {
    pub(crate) fn of(run: Run) -> Arc<Self> {
        Arc::new(Self {
            run: watch::Sender::new(run),
            runs: Mutex::default(),
            audits: Mutex::new(Ok(ListAuditResultsResponse::default())),
            alerts: Mutex::default(),
            refusal: Mutex::default(),
            preview: Mutex::default(),
            backfill: Mutex::default(),
            asked: Mutex::default(),
            open_watches: Arc::default(),
            watches: AtomicUsize::default(),
            is_reader_only: AtomicBool::default(),
            has_no_role: AtomicBool::default(),
            break_watches: Mutex::default(),
        })
    }

    /// The services of this script, served in this process.
    pub(crate) fn serve(self: &Arc<Self>) -> Backend {
        let service = Service::new("scripted");
        let mut routes = Routes::new(PipelineServiceServer::from_arc(self.clone()))
            .add_service(MonitoringServiceServer::from_arc(self.clone()))
            .add_service(AccessServiceServer::from_arc(self.clone()));
        routes = routes.prepare();
        let (channel, task) =
            runtime::channel::in_process(service.name, routes, CancellationToken::new()).unwrap();
        tokio::spawn(task.run);
        Backend { coordinator: channel.clone(), activity: channel }
    }

    /// The console over them, at a time.
    pub(crate) fn console(self: &Arc<Self>, now: i64) -> (Router, Context) {
        let clock = Arc::new(StoppedClock(DateTime::from_timestamp(now, 0).unwrap()));
        let mut context = Context::new();
        context.clock = clock;
        let served = Served {
            address: ([127, 0, 0, 1], 50_080).into(),
            is_encrypted: false,
            allow_unauthenticated: false,
        };
        (assemble(&Options::default(), self.serve(), &context, served).unwrap(), context)
    }

    /// What was asked for, without listings.
    pub(crate) fn actions(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|request| !request.starts_with("ListRuns")).cloned().collect()
    }

    fn note(&self, request: &impl std::fmt::Debug) -> Result<(), Status> {
        self.asked.lock().unwrap().push(format!("{request:?}"));
        self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn current(&self) -> Option<Run> {
        Some(self.run.borrow().clone())
    }
}

/// A page that was asked for.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    pub(crate) html: String,
}

/// A request as a browser on this machine sends it, without any cookie.
pub(crate) fn request(method: Method, address: &str, body: Body) -> HttpRequest<Body> {
    let request = HttpRequest::builder().method(method).uri(address).header(header::HOST, HOST);
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.header("sec-fetch-site", "same-origin");
    request.header(header::ORIGIN, format!("http://{HOST}")).body(body).unwrap()
}

/// Asks for a page.
pub(crate) async fn get(site: &Router, address: &str) -> Page {
    read(send(site, request(Method::GET, address, Body::empty())).await).await
}

/// Asks for a page with these headers in place of those.
pub(crate) async fn get_as(site: &Router, address: &str, headers: &[(&'static str, &'static str)]) -> Page {
    let mut request = request(Method::GET, address, Body::empty());
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
    read(send(site, request).await).await
}

/// Sends a form as a page of the site does: with what the site has put into it, and the cookie.
pub(crate) async fn post(site: &Router, address: &str, form: &str) -> Page {
    let page = send(site, request(Method::GET, "/runs", Body::empty())).await;
    let cookie = page.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let html = read(page).await.html;
    let (_, token) = html.split_once("name=\"form_token\" value=\"").unwrap();
    let token = token.split('"').next().unwrap();
    let body = Body::from(format!("form_token={token}&{form}"));
    let mut request = request(Method::POST, address, body);
    request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
    read(send(site, request).await).await
}

/// Sends a form as a page of another site might.
pub(crate) async fn forge(site: &Router, address: &str) -> Page {
    read(send(site, request(Method::POST, address, Body::from("form_token=guessed"))).await).await
}

async fn send(site: &Router, request: HttpRequest<Body>) -> HttpResponse<Body> {
    site.clone().oneshot(request).await.unwrap()
}

async fn read(answer: HttpResponse<Body>) -> Page {
    let location = answer.headers().get(header::LOCATION).map(|value| value.to_str().unwrap().to_owned());
    let status = answer.status();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    Page { status, location: location.unwrap_or_default(), html: String::from_utf8(body.into()).unwrap() }
}

fn unused<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not part of the script"))
}

#[async_trait]
impl AccessService for Script {
    async fn get_caller(&self, _: Request<GetCallerRequest>) -> Result<Response<GetCallerResponse>, Status> {
        let mut roles = vec![Role::Reader.into()];
        if !self.is_reader_only.load(Ordering::SeqCst) {
            roles.push(Role::Operator.into());
        }
        if self.has_no_role.load(Ordering::SeqCst) {
            roles.clear();
        }
        Ok(Response::new(GetCallerResponse { name: "anonymous".to_owned(), roles, is_anonymous: true }))
    }
}

#[async_trait]
impl MonitoringService for Script {
    async fn get_pipeline_status(
        &self,
        _: Request<GetPipelineStatusRequest>,
    ) -> Result<Response<GetPipelineStatusResponse>, Status> {
        unused()
    }

    async fn list_alerts(
        &self,
        _: Request<ListAlertsRequest>,
    ) -> Result<Response<ListAlertsResponse>, Status> {
        Ok(Response::new(self.alerts.lock().unwrap().clone()))
    }

    async fn list_audit_results(
        &self,
        _: Request<ListAuditResultsRequest>,
    ) -> Result<Response<ListAuditResultsResponse>, Status> {
        self.audits.lock().unwrap().clone().map(Response::new)
    }

    async fn list_reconciliations(
        &self,
        _: Request<ListReconciliationsRequest>,
    ) -> Result<Response<ListReconciliationsResponse>, Status> {
        unused()
    }
}

/// Counts a watch while it is open.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl PipelineService for Script {
    type WatchRunStream = Messages<WatchRunResponse>;
    type BackfillStream = Messages<BackfillResponse>;
    type PreviewBackfillStream = Messages<PreviewBackfillResponse>;
    type ReconcileStream = Messages<ReconcileResponse>;

    async fn watch_run(&self, _: Request<WatchRunRequest>) -> Result<Response<Self::WatchRunStream>, Status> {
        self.watches.fetch_add(1, Ordering::SeqCst);
        self.open_watches.fetch_add(1, Ordering::SeqCst);
        let open = Open(self.open_watches.clone());
        let broken = self.break_watches.lock().unwrap().clone();
        let states = WatchStream::new(self.run.subscribe()).scan(false, move |is_over, run| {
            let _ = &open;
            let message = (!*is_over).then(|| WatchRunResponse { run: Some(run.clone()) });
            *is_over = has_ended(&run);
            std::future::ready(message.map(Ok))
        });
        Ok(Response::new(Box::pin(states.take_until(broken.cancelled_owned()))))
    }

    async fn trigger_run(
        &self,
        request: Request<TriggerRunRequest>,
    ) -> Result<Response<TriggerRunResponse>, Status> {
        self.note(request.get_ref())?;
        Ok(Response::new(TriggerRunResponse { run: self.current(), created: request.get_ref().force }))
    }

    async fn get_run(&self, request: Request<GetRunRequest>) -> Result<Response<GetRunResponse>, Status> {
        if request.get_ref().run_id != self.run.borrow().run_id {
            return Err(Status::not_found("there is no such run"));
        }
        Ok(Response::new(GetRunResponse { run: self.current() }))
    }

    async fn list_runs(
        &self,
        request: Request<ListRunsRequest>,
    ) -> Result<Response<ListRunsResponse>, Status> {
        self.asked.lock().unwrap().push(format!("{:?}", request.get_ref()));
        Ok(Response::new(self.runs.lock().unwrap().clone()))
    }

    async fn cancel_run(
        &self,
        request: Request<CancelRunRequest>,
    ) -> Result<Response<CancelRunResponse>, Status> {
        self.note(request.get_ref())?;
        Ok(Response::new(CancelRunResponse { run: self.current() }))
    }

    async fn retry_run(
        &self,
        request: Request<RetryRunRequest>,
    ) -> Result<Response<RetryRunResponse>, Status> {
        self.note(request.get_ref())?;
        Ok(Response::new(RetryRunResponse { run: self.current() }))
    }

    async fn unpublish_days(
        &self,
        _: Request<UnpublishDaysRequest>,
    ) -> Result<Response<UnpublishDaysResponse>, Status> {
        unused()
    }

    async fn backfill(
        &self,
        request: Request<BackfillRequest>,
    ) -> Result<Response<Self::BackfillStream>, Status> {
        self.note(request.get_ref())?;
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.backfill.lock().unwrap() = Some(sender);
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(receiver))))
    }

    async fn preview_backfill(
        &self,
        request: Request<PreviewBackfillRequest>,
    ) -> Result<Response<Self::PreviewBackfillStream>, Status> {
        self.note(request.get_ref())?;
        let messages = self.preview.lock().unwrap().clone();
        Ok(Response::new(Box::pin(futures::stream::iter(messages.into_iter().map(Ok)))))
    }

    async fn list_audit_entries(
        &self,
        _: Request<ListAuditEntriesRequest>,
    ) -> Result<Response<ListAuditEntriesResponse>, Status> {
        unused()
    }

    async fn explain(&self, _: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        unused()
    }

    async fn reconcile(
        &self,
        _: Request<ReconcileRequest>,
    ) -> Result<Response<Self::ReconcileStream>, Status> {
        unused()
    }
}

/// What a hostile source would like to run.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>";

/// That a page holds nothing that its policy forbids, and hostile text as text.
pub(crate) fn assert_harmless(html: &str) {
    for forbidden in [" style=", "<style", "<img", "javascript:", "<script>"] {
        assert!(!html.contains(forbidden), "{forbidden} in {html}");
    }
}
