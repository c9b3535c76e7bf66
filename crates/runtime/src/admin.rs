//! The admin port: probes, metrics and the log level, over plain HTTP, for operators.
//! It is served from before the service starts until it has drained. What is read is
//! open; what changes something is for those who are on this machine or have the token.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    routing::get,
    serve::ListenerExt as _,
};
use futures::future::BoxFuture;
use prometheus::{Encoder, TextEncoder};
use secret::{SecretError, read_secret};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::observability::{LogFilter, Telemetry};

/// The longest body to take: a log filter is a line.
const MAX_BODY_BYTES: usize = 16 * 1024;

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
    token_file: Option<PathBuf>,
}

/// Serves the admin port until `stop` is cancelled. Call it inside a tokio runtime.
///
/// # Errors
/// If the address cannot be bound or the token cannot be read.
pub(crate) fn serve(
    listen: SocketAddr,
    token_file: Option<PathBuf>,
    telemetry: &Telemetry,
    lifecycle: Lifecycle,
    stop: CancellationToken,
) -> anyhow::Result<BoxFuture<'static, ()>> {
    // A token that cannot be read is better known now than when it is needed.
    read_secret(None, token_file.as_deref()).context("--admin-token-file")?;
    let listener = bind(listen).with_context(|| format!("--admin-listen: cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    info!(%address, "serving probes and metrics");
    let admin = Admin {
        lifecycle,
        registry: telemetry.registry.clone(),
        log_filter: telemetry.log_filter.clone(),
        token_file,
    };
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
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
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
async fn set_log(
    State(admin): State<Admin>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    directives: String,
) -> Result<String, (StatusCode, String)> {
    // An IPv4 peer of an IPv6 socket has a mapped address.
    if !peer.ip().to_canonical().is_loopback() {
        authorize(&admin, &headers)?;
    }
    let directives = directives.trim();
    admin.log_filter.set(directives).map_err(|error| (StatusCode::BAD_REQUEST, format!("{error:#}\n")))?;
    info!(directives, "the log filter was changed");
    Ok(format!("{directives}\n"))
}

/// Lets a caller pass that has the token. The file is read every time, so that a rotated
/// token counts at once.
fn authorize(admin: &Admin, headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
    let token = read_secret(None, admin.token_file.as_deref()).map_err(unreadable)?;
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| value.strip_prefix("Bearer "));
    match (token, sent) {
        (Some(token), Some(sent)) if bool::from(token.expose().as_bytes().ct_eq(sent.as_bytes())) => Ok(()),
        (Some(_), _) => Err((
            StatusCode::UNAUTHORIZED,
            "send the token of --admin-token-file as bearer token\n".to_owned(),
        )),
        (None, _) => Err((
            StatusCode::FORBIDDEN,
            "only from this machine, for example by kubectl port-forward, or with --admin-token-file\n"
                .to_owned(),
        )),
    }
}

/// The log has what is wrong with the file; callers need not know.
fn unreadable(error: SecretError) -> (StatusCode, String) {
    error!(%error, "--admin-token-file cannot be used");
    (StatusCode::INTERNAL_SERVER_ERROR, "the token cannot be checked: see the log\n".to_owned())
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
        rig_with(None)
    }

    fn rig_with(token_file: Option<PathBuf>) -> Rig {
        let (log_filter, layer) = LogFilter::detached("info");
        let registry = prometheus::Registry::new();
        let counter = prometheus::IntCounter::new("answers_total", "Answers.").unwrap();
        counter.inc();
        registry.register(Box::new(counter)).unwrap();
        let lifecycle = Lifecycle::default();
        let admin = Admin { lifecycle: lifecycle.clone(), registry, log_filter, token_file };
        Rig { router: router(admin), lifecycle, _layer: Box::new(layer) }
    }

    async fn ask(rig: &Rig, method: &str, path: &str, body: &str) -> (u16, String) {
        ask_from(rig, "127.0.0.1:7", None, method, path, body).await
    }

    async fn ask_from(
        rig: &Rig,
        peer: &str,
        authorization: Option<&str>,
        method: &str,
        path: &str,
        body: &str,
    ) -> (u16, String) {
        let peer: SocketAddr = peer.parse().unwrap();
        let mut request = Request::builder().method(method).uri(path).extension(ConnectInfo(peer));
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
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

    #[tokio::test]
    async fn elsewhere_everything_can_be_read_and_nothing_changed() {
        let rig = rig();
        for peer in ["10.0.0.7:7", "[fd00::1]:7", "[::ffff:10.0.0.7]:7"] {
            for path in ["/livez", "/metrics", "/log"] {
                assert_eq!(ask_from(&rig, peer, None, "GET", path, "").await.0, 200, "{path}");
            }
            for authorization in [None, Some("Bearer "), Some("Bearer guess")] {
                let (status, answer) = ask_from(&rig, peer, authorization, "PUT", "/log", "debug").await;
                assert_eq!(status, 403, "{answer}");
            }
        }
        assert_eq!(ask(&rig, "GET", "/log", "").await.1, "info\n");
        for peer in ["[::1]:7", "[::ffff:127.0.0.1]:7"] {
            assert_eq!(ask_from(&rig, peer, None, "PUT", "/log", "debug").await.0, 200, "{peer}");
        }
    }

    #[tokio::test]
    async fn a_token_lets_others_change_the_log_filter_and_may_be_rotated() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let rig = rig_with(Some(file.path().to_owned()));
        let put = async |authorization: Option<String>| {
            ask_from(&rig, "10.0.0.7:7", authorization.as_deref(), "PUT", "/log", "debug").await.0
        };
        let bearer = |token: &str| Some(format!("Bearer {token}"));
        for (token, other) in [("first", "second"), ("second", "first")] {
            std::fs::write(file.path(), format!("{token}\n")).unwrap();
            assert_eq!(put(bearer(token)).await, 200);
            for wrong in [other, "", "firs", "first "] {
                assert_eq!(put(bearer(wrong)).await, 401, "{wrong:?}");
            }
            assert_eq!(put(Some(token.to_owned())).await, 401);
            assert_eq!(put(None).await, 401);
        }
        std::fs::write(file.path(), "").unwrap();
        assert_eq!(put(bearer("")).await, 500);
    }

    #[tokio::test]
    async fn a_body_that_is_no_filter_is_not_read_to_its_end() {
        assert_eq!(ask(&rig(), "PUT", "/log", &"x".repeat(MAX_BODY_BYTES + 1)).await.0, 413);
    }
}
