//! The gRPC server: health, reflection, keepalive and a bounded drain.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use access::may_listen;
use anyhow::Context as _;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use http::{Request, Response};
use tls::{HandshakeLimits, RELOAD_INTERVAL};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    service::Routes,
    transport::{self, Server, server::TcpIncoming},
};
use tower::{
    ServiceBuilder,
    layer::util::{Identity, Stack},
    util::MapRequestLayer,
};
use tracing::{error, info, warn};

use crate::{
    access_service,
    connections::{Connection, Connections, FromPeer, Tracked, serve_each},
    context::Context,
    lifecycle::Phase,
    rpc::{
        AdmissionLayer, Callers, DeadlineLayer, OpenCalls, RpcServerLayer, present_certificate, record_caller,
    },
    server_options::ServerOptions,
    service::{BackgroundTask, GrpcRoutes, Service},
};

/// How long handlers may roll back after the drain time is up.
const ROLLBACK_TIME: Duration = Duration::from_secs(5);

/// How long a drain waits for a reader that reads nothing. Waiting longer would not
/// help: the rest of such a response cannot be sent.
const STALLED_AFTER: Duration = Duration::from_secs(3);

/// How often a drain checks whether only such readers remain.
const POLL: Duration = Duration::from_millis(100);

/// How long a connection may be silent before the kernel probes whether its peer is alive.
pub(crate) const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Streams that one connection may have open. A client that has more to ask waits, or opens
/// another connection.
const STREAMS_PER_CONNECTION: u32 = 100;

/// The most bytes of a request's headers: room for a token of 8 KiB, and for what proxies
/// add. h2 derives from it how many CONTINUATION frames it reads.
const HEADER_BYTES: u32 = 16 * 1024;

/// Bytes of requests that a client may send before they are read, on one stream and on its
/// connection. Requests are small.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 512 * 1024;

/// Streams that a client may reset before they are answered (rapid reset), and that may be
/// reset because of what it sends. Then its connection is ended.
const RESETS_WHILE_PENDING: usize = 20;
const RESETS_FOR_ERRORS: usize = 256;

/// How often to look for responses that nobody reads.
const SWEEP: Duration = Duration::from_secs(5);

/// A tonic server with HTTP/2 keepalive, which is off by default.
///
/// Every limit of HTTP/2 is set on purpose, whatever its default is in this version.
///
/// tonic's own TCP options (`tcp_nodelay`, `tcp_keepalive` and its intervals) would have no
/// effect: they apply where tonic makes the listener, and ours comes from outside, so
/// [`incoming`] sets both. All others (`http2_*`, `max_connection_age`, `timeout`, limits,
/// `accept_http1`) apply to any connection.
fn http2() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_pending_accept_reset_streams(Some(RESETS_WHILE_PENDING))
        .http2_max_local_error_reset_streams(Some(RESETS_FOR_ERRORS))
}

/// A server for this process alone, whose calls have spans and end at their deadlines.
pub(crate) fn in_process_builder() -> Server<Stack<DeadlineLayer, Stack<RpcServerLayer, Identity>>> {
    http2().layer(RpcServerLayer::new(OpenCalls::default())).layer(DeadlineLayer)
}

/// The connections of a listener. Without `TCP_NODELAY`, every response waits about 40
/// ms for the acknowledgement of its headers, which the caller delays.
fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(TCP_KEEPALIVE))
}

/// Serves a service until the context shuts down or one of its tasks fails, then
/// drains: health reports NOT_SERVING, calls in flight get `drain_timeout` to finish,
/// and stages still running are cancelled and rolled back.
///
/// `on_listening` receives the address once connections are accepted.
///
/// # Errors
/// If others could call without being asked who they are, the address cannot be bound, or
/// the server or a background task fails.
pub fn serve(
    service: Service,
    options: ServerOptions,
    context: Context,
    on_listening: impl FnOnce(SocketAddr) + Send + 'static,
) -> BoxFuture<'static, anyhow::Result<()>> {
    run(service, options, context, Box::new(on_listening))
}

/// Boxes the server's future, and so compiles the HTTP/2 stack here once, rather than
/// in every crate that serves something.
fn run(
    service: Service,
    options: ServerOptions,
    context: Context,
    on_listening: Box<dyn FnOnce(SocketAddr) + Send>,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(async move {
        let asks_who_calls = !options.access.is_open();
        let (has_tls, waived) = (options.tls.is_some(), options.allow_unauthenticated);
        if let Some(warning) = may_listen(options.listen, asks_who_calls, has_tls, waived)? {
            warn!("{warning}");
        }
        let listener = TcpListener::bind(options.listen)
            .await
            .with_context(|| format!("cannot listen on {}", options.listen))?;
        let address = listener.local_addr()?;
        let (mut health, health_server) = tonic_health::server::health_reporter();
        let names: Vec<&'static str> = service.grpc.iter().map(|grpc| grpc.name).collect();
        for name in names.iter().copied().chain([""]) {
            health.set_service_status(name, tonic_health::ServingStatus::Serving).await;
        }
        let routes = merge(&service.grpc, options.reflection)?
            .add_service(health_server)
            .add_service(access_service::server());

        let mut tasks = JoinSet::new();
        for BackgroundTask { name, run } in service.background {
            tasks.spawn(async move { (name, run.await) });
        }
        for BackgroundTask { name, run } in follow_files(&options, &context) {
            tasks.spawn(async move { (name, run.await) });
        }
        let stop_accepting = CancellationToken::new();
        let calls = OpenCalls::default();
        let callers = Callers::new(options.limits.calls, options.limits.calls_per_second);
        let limited = ServiceBuilder::new()
            .layer(RpcServerLayer::new(calls.clone()))
            .layer(DeadlineLayer)
            .layer(MapRequestLayer::new(present_certificate))
            .layer(options.access.clone().layer())
            .layer(MapRequestLayer::new(record_caller))
            .layer(AdmissionLayer::new(callers, options.access.is_open())?)
            .service(routes.prepare());
        let connections = Connections::new("grpc", options.limits.of_connections());
        tasks.spawn(end_unread(calls.clone(), connections.clone(), options.limits.unread, context.clone()));
        let (sockets, stop) = (incoming(listener), stop_accepting.clone());
        let server: BoxFuture<'static, _> = match &options.tls {
            Some(tls) => {
                let encrypted = tls.incoming(sockets, handshake_limits(options.limits.connections));
                Box::pin(serve_each(encrypted, connections, stop, server_of(limited)))
            }
            None => Box::pin(serve_each(sockets, connections, stop, server_of(limited))),
        };
        tasks.spawn(async move {
            ("the gRPC server", {
                server.await;
                Ok(())
            })
        });
        info!(service = service.name, %address, tls = has_tls, "listening");
        context.lifecycle.enter(Phase::Ready);
        on_listening(address);

        let outcome = tokio::select! {
            () = context.shutdown.cancelled() => Ok(()),
            ended = tasks.join_next() => task_result(ended),
        };
        context.lifecycle.enter(Phase::Draining);
        for name in names.iter().copied().chain([""]) {
            health.set_service_status(name, tonic_health::ServingStatus::NotServing).await;
        }
        context.shutdown.cancel();
        stop_accepting.cancel();
        // Health watchers have been notified; an open watch would use up the whole drain.
        for name in names.into_iter().chain([""]) {
            health.clear_service_status(name).await;
        }
        let drained = drain(&mut tasks, &options, &context, &calls).await;
        outcome.and(drained)
    })
}

/// Serves single connections: each by a server of its own, because tonic can end all
/// connections of a server without losing a call, and no single one.
fn server_of<S, IO>(
    service: S,
) -> impl Fn(Tracked<IO>, Connection, CancellationToken) -> BoxFuture<'static, Result<(), transport::Error>>
where
    S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    IO: FromPeer,
{
    move |io, connection, end| {
        let with_connection = MapRequestLayer::new(move |mut request: Request<Body>| {
            request.extensions_mut().insert(connection.clone());
            request
        });
        // One connection, and no end of connections, at which tonic would shut down.
        let alone = stream::iter([Ok::<_, io::Error>(io)]).chain(stream::pending());
        let server = http2().layer(with_connection);
        Box::pin(server.serve_with_incoming_shutdown(service.clone(), alone, end.cancelled_owned()))
    }
}

/// Unfinished handshakes have a third of the connections' number to themselves.
fn handshake_limits(connections: usize) -> HandshakeLimits {
    let limits = HandshakeLimits::default();
    HandshakeLimits { unfinished: limits.unfinished.min((connections / 3).max(16)), ..limits }
}

/// Ends responses whose readers take nothing, until the context shuts down: then a drain
/// deals with them.
async fn end_unread(
    calls: OpenCalls,
    connections: Connections,
    limit: Duration,
    context: Context,
) -> (&'static str, anyhow::Result<()>) {
    let mut looks = tokio::time::interval(SWEEP.min(limit));
    loop {
        tokio::select! {
            () = context.shutdown.cancelled() => return ("the end of unread responses", Ok(())),
            _ = looks.tick() => {}
        }
        let ended = calls.end_unread(limit);
        connections.add("unread", ended as u64);
        if ended > 0 {
            warn!(ended, after = ?limit, "responses that nobody reads are ended");
        }
    }
}

/// Reads the certificate and the policy again whenever they change, until the context
/// shuts down.
fn follow_files(options: &ServerOptions, context: &Context) -> Vec<BackgroundTask> {
    let (access, shutdown) = (options.access.clone(), context.shutdown.clone());
    let following = async move {
        access.reload_every(RELOAD_INTERVAL, shutdown.cancelled()).await;
        Ok(())
    };
    let mut tasks = vec![BackgroundTask { name: "the access policy", run: Box::pin(following) }];
    if let Some(tls) = options.tls.clone() {
        let watching = tls.watch(RELOAD_INTERVAL, context.shutdown.clone());
        tasks.push(BackgroundTask { name: "the TLS files", run: Box::pin(watching.map(Ok)) });
    }
    tasks
}

/// One router for several gRPC services, with reflection if requested.
fn merge(grpc: &[GrpcRoutes], reflection: bool) -> anyhow::Result<Routes> {
    let routes = GrpcRoutes::merge(grpc);
    if !reflection {
        return Ok(routes);
    }
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Both versions: many clients, Python's among them, know only the older one.
    Ok(routes.add_service(reflection().build_v1()?).add_service(reflection().build_v1alpha()?))
}

async fn drain(
    tasks: &mut JoinSet<(&'static str, anyhow::Result<()>)>,
    options: &ServerOptions,
    context: &Context,
    calls: &OpenCalls,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut outcome = Ok(());
    // The server itself waits for readers that read nothing, so it is the last
    // remaining task.
    let only_readers_are_left = |tasks: &JoinSet<_>| {
        tasks.len() == 1 && began.elapsed() >= STALLED_AFTER && calls.are_quiet_for(STALLED_AFTER)
    };
    let mut finish = async |limit: Duration| {
        let finished = async {
            while !(tasks.is_empty() || only_readers_are_left(tasks)) {
                tokio::select! {
                    ended = tasks.join_next() => {
                        outcome = std::mem::replace(&mut outcome, Ok(())).and(task_result(ended));
                    }
                    () = tokio::time::sleep(POLL) => {}
                }
            }
            tasks.is_empty()
        };
        tokio::time::timeout(limit, finished).await
    };
    let drained = if let Ok(all_ended) = finish(options.drain_timeout).await {
        all_ended
    } else {
        warn!(after = ?options.drain_timeout, "calls are still in flight: cancelling them");
        context.hard_stop.cancel();
        finish(ROLLBACK_TIME).await.unwrap_or(false)
    };
    if !drained {
        warn!("connections whose readers take nothing are still open: closing them");
        context.hard_stop.cancel();
    }
    tasks.abort_all();
    outcome
}

fn task_result(
    ended: Option<Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>>,
) -> anyhow::Result<()> {
    match ended {
        None | Some(Ok((_, Ok(())))) => Ok(()),
        Some(Ok((name, Err(cause)))) => {
            error!(task = name, error = format!("{cause:#}"), "a task failed");
            Err(cause.context(format!("{name} failed")))
        }
        Some(Err(cause)) => Err(anyhow::Error::from(cause).context("a task panicked")),
    }
}
