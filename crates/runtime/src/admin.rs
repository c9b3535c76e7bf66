//! The admin port: probes, metrics and the log level, over plain HTTP, for operators.
//! It is served from before the service starts until it has drained.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, header},
    routing::get,
    serve::ListenerExt as _,
};
use futures::future::BoxFuture;
use prometheus::{Encoder, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::observability::{LogFilter, Telemetry};

/// The phase of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Not yet serving.
    Starting,
    /// Serving.
    Ready,
    /// Finishing the calls in flight.
    Draining,
}

/// Holds the phase of the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lifecycle(Arc<AtomicU8>);

impl Lifecycle {
    pub(crate) fn enter(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }

    fn is(&self, phase: Phase) -> bool {
        self.0.load(Ordering::Acquire) == phase as u8
    }
}

#[derive(Clone)]
struct Admin {
    lifecycle: Lifecycle,
    registry: prometheus::Registry,
    log_filter: LogFilter,
}

/// Serves the admin port until `stop` is cancelled. Call it inside a tokio runtime.
///
/// # Errors
/// If the address cannot be bound.
pub(crate) fn serve(
    listen: SocketAddr,
    telemetry: &Telemetry,
    lifecycle: Lifecycle,
    stop: CancellationToken,
) -> anyhow::Result<BoxFuture<'static, ()>> {
    let listener = bind(listen).with_context(|| format!("--admin-listen: cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    info!(%address, "serving probes and metrics");
    let admin =
        Admin { lifecycle, registry: telemetry.registry.clone(), log_filter: telemetry.log_filter.clone() };
    // Responses are sent at once. If that cannot be set, they are only a little slower.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let server = axum::serve(listener, router(admin)).with_graceful_shutdown(stop.cancelled_owned());
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
    if admin.lifecycle.is(Phase::Starting) {
        (StatusCode::SERVICE_UNAVAILABLE, "starting\n")
    } else {
        (StatusCode::OK, "started\n")
    }
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.lifecycle.is(Phase::Ready) {
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
async fn set_log(State(admin): State<Admin>, directives: String) -> Result<String, (StatusCode, String)> {
    let directives = directives.trim();
    admin.log_filter.set(directives).map_err(|error| (StatusCode::BAD_REQUEST, format!("{error:#}\n")))?;
    info!(directives, "the log filter was changed");
    Ok(format!("{directives}\n"))
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::Request,
    };
    use tower::ServiceExt;

    use super::*;

    struct Rig {
        router: Router,
        lifecycle: Lifecycle,
        _layer: Box<dyn std::any::Any>,
    }

    fn rig() -> Rig {
        let (log_filter, layer) = LogFilter::detached("info");
        let registry = prometheus::Registry::new();
        let counter = prometheus::IntCounter::new("answers_total", "Answers.").unwrap();
        counter.inc();
        registry.register(Box::new(counter)).unwrap();
        let lifecycle = Lifecycle::default();
        let admin = Admin { lifecycle: lifecycle.clone(), registry, log_filter };
        Rig { router: router(admin), lifecycle, _layer: Box::new(layer) }
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
            rig.lifecycle.enter(phase);
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
        assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "info\n".to_owned()));
        assert_eq!(ask(&rig, "PUT", "/log", "debug\n").await, (200, "debug\n".to_owned()));
        let (status, problem) = ask(&rig, "PUT", "/log", "a=b=c").await;
        assert_eq!(status, 400);
        assert!(problem.contains("is no log filter"), "{problem}");
        assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "debug\n".to_owned()));
    }
}
