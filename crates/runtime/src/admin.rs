//! The admin port: probes, metrics and the log level, over plain HTTP, for operators.
//! It is served from before the service starts until it has drained.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::{
    Router,
    extract::{ConnectInfo, State},
    http::{HeaderName, StatusCode, header},
    routing::get,
    serve::ListenerExt as _,
};
use domain::{ActionOutcome, OperatorAction};
use futures::future::BoxFuture;
use prometheus::{Encoder, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    audit::Requester,
    context::Context,
    lifecycle::Phase,
    observability::{LogFilter, Telemetry},
};

/// Why the log filter cannot be changed yet.
const NO_TRAIL_YET: &str = "the warehouse is not open yet, so the audit trail cannot record this and the log \
                            filter stays as it is: try again, or restart with another --log (LOG)\n";

#[derive(Clone)]
struct Admin {
    process: &'static str,
    context: Context,
    registry: prometheus::Registry,
    log_filter: LogFilter,
}

/// Serves the admin port until `stop` is cancelled. Call it inside a tokio runtime.
///
/// # Errors
/// If the address cannot be bound.
pub(crate) fn serve(
    listen: SocketAddr,
    process: &'static str,
    telemetry: &Telemetry,
    context: Context,
    stop: CancellationToken,
) -> anyhow::Result<BoxFuture<'static, ()>> {
    let listener = bind(listen).with_context(|| format!("--admin-listen: cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    info!(%address, "serving probes and metrics");
    let (registry, log_filter) = (telemetry.registry.clone(), telemetry.log_filter.clone());
    let admin = Admin { process, context, registry, log_filter };
    // Responses are sent at once. If that cannot be set, they are only a little slower.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let service = router(admin).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned());
    // Boxed like the gRPC server, for the same reason.
    Ok(Box::pin(async move {
        // Only accepting can fail, and axum retries that by itself.
        let _ = server.await;
    }))
}

fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/startupz", get(startup))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/log", get(log).put(set_log))
        .with_state(admin)
}

async fn startup(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.context.lifecycle.is(Phase::Starting) {
        (StatusCode::SERVICE_UNAVAILABLE, "starting\n")
    } else {
        (StatusCode::OK, "started\n")
    }
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.context.lifecycle.is(Phase::Ready) {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

type Answer = Result<([(HeaderName, String); 1], Vec<u8>), (StatusCode, String)>;

async fn metrics(State(admin): State<Admin>) -> Answer {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    encoder
        .encode(&admin.registry.gather(), &mut text)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")))?;
    Ok(([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text))
}

async fn log(State(admin): State<Admin>) -> Result<String, (StatusCode, String)> {
    admin
        .log_filter
        .get()
        .map(|directives| format!("{directives}\n"))
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")))
}

/// The body is the new filter: `curl -X PUT --data debug localhost:9464/log`.
async fn set_log(
    State(admin): State<Admin>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    directives: String,
) -> Result<String, (StatusCode, String)> {
    let directives = directives.trim();
    let not_recorded = |problem: String| (StatusCode::SERVICE_UNAVAILABLE, problem);
    let auditor = admin.context.auditor().ok_or_else(|| not_recorded(NO_TRAIL_YET.to_owned()))?;
    let (requester, details) = (Requester::anonymous(address), format!("{}: {directives}", admin.process));
    let recorded = auditor.begin(&requester, OperatorAction::LogLevel, &details).await.map_err(|error| {
        not_recorded(format!(
            "the log filter stays as it is, because the audit trail could not record this: {error}\n"
        ))
    })?;
    match admin.log_filter.set(directives) {
        Ok(()) => {
            recorded.end(ActionOutcome::Succeeded, "").await;
            Ok(format!("{directives}\n"))
        }
        Err(error) => {
            let problem = format!("{error:#}");
            recorded.end(ActionOutcome::Refused, &problem).await;
            Err((StatusCode::BAD_REQUEST, format!("{problem}\n")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use axum::{
        body::{Body, to_bytes},
        extract::connect_info::MockConnectInfo,
        http::Request,
    };
    use tower::ServiceExt;
    use warehouse_core::{ActionEnd, AuditEntry, AuditEntryId, AuditQuery, AuditTrail, Error, NewAuditEntry};

    use super::*;

    /// A trail that can be full.
    #[derive(Default)]
    struct Trail {
        actions: Mutex<Vec<NewAuditEntry>>,
        ends: Mutex<Vec<ActionOutcome>>,
        is_full: bool,
    }

    #[async_trait]
    impl AuditTrail for Trail {
        async fn record_action(&self, new: &NewAuditEntry) -> warehouse_core::Result<AuditEntryId> {
            if self.is_full {
                return Err(Error::Precondition("the disk is full".to_owned()));
            }
            self.actions.lock().unwrap().push(new.clone());
            Ok(AuditEntryId(1))
        }

        async fn record_end(&self, _: AuditEntryId, end: &ActionEnd) -> warehouse_core::Result<()> {
            self.ends.lock().unwrap().push(end.outcome);
            Ok(())
        }

        async fn audit_entries(&self, _: &AuditQuery, _: u32) -> warehouse_core::Result<Vec<AuditEntry>> {
            Ok(Vec::new())
        }
    }

    struct Rig {
        router: Router,
        context: Context,
        _layer: Box<dyn std::any::Any>,
    }

    fn rig() -> Rig {
        let (log_filter, layer) = LogFilter::detached("info");
        let registry = prometheus::Registry::new();
        let counter = prometheus::IntCounter::new("answers_total", "Answers.").unwrap();
        counter.inc();
        registry.register(Box::new(counter)).unwrap();
        let context = Context::new();
        let admin = Admin { process: "transform", context: context.clone(), registry, log_filter };
        let router = router(admin).layer(MockConnectInfo(SocketAddr::from(([192, 0, 2, 7], 40_312))));
        Rig { router, context, _layer: Box::new(layer) }
    }

    async fn ask(rig: &Rig, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
        let response = rig.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn probes_distinguish_start_service_and_drain() {
        let rig = rig();
        for (phase, expected) in [
            (Phase::Starting, [200, 503, 503]),
            (Phase::Ready, [200, 200, 200]),
            (Phase::Draining, [200, 200, 503]),
        ] {
            rig.context.lifecycle.enter(phase);
            for (path, status) in ["/livez", "/startupz", "/readyz"].into_iter().zip(expected) {
                assert_eq!(ask(&rig, "GET", path, "").await.0, status, "{path} in {phase:?}");
            }
        }
    }

    #[tokio::test]
    async fn metrics_are_served_as_text() {
        let (status, text) = ask(&rig(), "GET", "/metrics", "").await;
        assert_eq!(status, 200);
        assert!(text.contains("answers_total 1"), "{text}");
    }

    #[tokio::test]
    async fn the_log_filter_can_be_read_and_changed_but_not_to_nonsense() {
        let rig = rig();
        let trail = Arc::new(Trail::default());
        rig.context.audit_in(trail.clone());
        assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "info\n".to_owned()));
        assert_eq!(ask(&rig, "PUT", "/log", "debug\n").await, (200, "debug\n".to_owned()));
        let (status, problem) = ask(&rig, "PUT", "/log", "a=b=c").await;
        assert_eq!(status, 400);
        assert!(problem.contains("is no log filter"), "{problem}");
        assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "debug\n".to_owned()));
        let recorded: Vec<String> =
            trail.actions.lock().unwrap().iter().map(|action| action.details.clone()).collect();
        assert_eq!(recorded, ["transform: debug", "transform: a=b=c"]);
        assert_eq!(*trail.ends.lock().unwrap(), [ActionOutcome::Succeeded, ActionOutcome::Refused]);
        let first = trail.actions.lock().unwrap()[0].clone();
        assert_eq!(
            (first.action, first.actor.as_str(), first.address.as_deref()),
            (OperatorAction::LogLevel, "anonymous", Some("192.0.2.7:40312"))
        );
    }

    #[tokio::test]
    async fn a_change_of_the_log_filter_that_cannot_be_recorded_is_refused() {
        let rig = rig();
        let (status, problem) = ask(&rig, "PUT", "/log", "debug").await;
        assert_eq!(status, 503);
        assert!(problem.contains("the warehouse is not open yet"), "{problem}");
        rig.context.audit_in(Arc::new(Trail { is_full: true, ..Trail::default() }));
        let (status, problem) = ask(&rig, "PUT", "/log", "debug").await;
        assert_eq!(status, 503);
        assert!(problem.contains("the disk is full"), "{problem}");
        assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "info\n".to_owned()));
    }
}
