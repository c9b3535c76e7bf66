//! The admin port: probes, metrics and the log level, over plain HTTP, for operators.
//! It is served from before the service starts until it has drained. What is read is
//! open; what changes something is for those who are on this machine or have the token.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    routing::get,
    serve::ListenerExt as _,
};
use domain::{ActionOutcome, OperatorAction};
use futures::future::BoxFuture;
use prometheus::{Encoder, TextEncoder};
use secret::{SecretError, read_secret};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    audit::Requester,
    context::Context,
    lifecycle::Phase,
    observability::{LogFilter, Telemetry},
};

/// The longest body to take: a log filter is a line.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// The name of whoever has the token of the admin port.
const ADMIN_TOKEN: &str = "admin-token";

/// Why the log filter cannot be changed yet.
const NO_TRAIL_YET: &str = "the warehouse is not open yet, so the audit trail cannot record this and the log \
                            filter stays as it is: try again, or restart with another --log (LOG)\n";

#[derive(Clone)]
struct Admin {
    process: &'static str,
    context: Context,
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
    process: &'static str,
    token_file: Option<PathBuf>,
    telemetry: &Telemetry,
    context: Context,
    stop: CancellationToken,
) -> anyhow::Result<BoxFuture<'static, ()>> {
    // A token that cannot be read is better known now than when it is needed.
    read_secret(None, token_file.as_deref()).context("--admin-token-file")?;
    let listener = bind(listen).with_context(|| format!("--admin-listen: cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    info!(%address, "serving probes and metrics");
    let (registry, log_filter) = (telemetry.registry.clone(), telemetry.log_filter.clone());
    let admin = Admin { process, context, registry, log_filter, token_file };
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
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    directives: String,
) -> Result<String, (StatusCode, String)> {
    let mut requester = Requester::anonymous(peer);
    // An IPv4 peer of an IPv6 socket has a mapped address.
    if !peer.ip().to_canonical().is_loopback() {
        authorize(&admin, &headers)?;
        ADMIN_TOKEN.clone_into(&mut requester.name);
    }
    let directives = directives.trim();
    let not_recorded = |problem: String| (StatusCode::SERVICE_UNAVAILABLE, problem);
    let auditor = admin.context.auditor().ok_or_else(|| not_recorded(NO_TRAIL_YET.to_owned()))?;
    let details = format!("{}: {directives}", admin.process);
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
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use axum::{
        body::{Body, to_bytes},
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
        rig_with(None)
    }

    fn rig_with(token_file: Option<PathBuf>) -> Rig {
        let rig = rig_without_trail(token_file);
        rig.context.audit_in(Arc::new(Trail::default()));
        rig
    }

    fn rig_without_trail(token_file: Option<PathBuf>) -> Rig {
        let (log_filter, layer) = LogFilter::detached("info");
        let registry = prometheus::Registry::new();
        let counter = prometheus::IntCounter::new("answers_total", "Answers.").unwrap();
        counter.inc();
        registry.register(Box::new(counter)).unwrap();
        let context = Context::new();
        let admin =
            Admin { process: "transform", context: context.clone(), registry, log_filter, token_file };
        Rig { router: router(admin), context, _layer: Box::new(layer) }
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
        assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "info\n".to_owned()));
        assert_eq!(ask(&rig, "PUT", "/log", "debug\n").await, (200, "debug\n".to_owned()));
        let (status, problem) = ask(&rig, "PUT", "/log", "a=b=c").await;
        assert_eq!(status, 400);
        assert!(problem.contains("is no log filter"), "{problem}");
        assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "debug\n".to_owned()));
    }

    #[tokio::test]
    async fn a_change_of_the_log_filter_is_recorded() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret").unwrap();
        let rig = rig_without_trail(Some(file.path().to_owned()));
        let trail = Arc::new(Trail::default());
        rig.context.audit_in(trail.clone());
        ask(&rig, "PUT", "/log", "debug\n").await;
        ask_from(&rig, "192.0.2.7:7", Some("Bearer secret"), "PUT", "/log", "a=b=c").await;
        ask_from(&rig, "192.0.2.7:7", Some("Bearer guess"), "PUT", "/log", "info").await;
        let actions = trail.actions.lock().unwrap();
        let recorded: Vec<_> = actions
            .iter()
            .map(|entry| (entry.actor.as_str(), entry.address.as_deref().unwrap(), entry.details.as_str()))
            .collect();
        assert_eq!(
            recorded,
            [
                ("anonymous", "127.0.0.1:7", "transform: debug"),
                ("admin-token", "192.0.2.7:7", "transform: a=b=c"),
            ]
        );
        assert!(actions.iter().all(|entry| entry.action == OperatorAction::LogLevel));
        assert_eq!(*trail.ends.lock().unwrap(), [ActionOutcome::Succeeded, ActionOutcome::Refused]);
    }

    #[tokio::test]
    async fn a_change_of_the_log_filter_that_cannot_be_recorded_is_refused() {
        let rig = rig_without_trail(None);
        let (status, problem) = ask(&rig, "PUT", "/log", "debug").await;
        assert_eq!(status, 503);
        assert!(problem.contains("the warehouse is not open yet"), "{problem}");
        rig.context.audit_in(Arc::new(Trail { is_full: true, ..Trail::default() }));
        let (status, problem) = ask(&rig, "PUT", "/log", "debug").await;
        assert_eq!(status, 503);
        assert!(problem.contains("the disk is full"), "{problem}");
        assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "info\n".to_owned()));
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
