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
    connections::{Connections, LimitedListener},
    context::Context,
    lifecycle::Phase,
    limits::ADMIN,
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
    // Of its own, so that callers of the gRPC port cannot keep probes out. Tapped, because
    // axum finds the peer's address behind its own listeners alone.
    let connections = Connections::new("admin", ADMIN);
    let listener = LimitedListener::new(listener, connections).tap_io(|_| ());
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
mod tests;
