//! The gRPC server: health, reflection, keepalive and a bounded drain.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use access::may_listen;
use anyhow::Context as _;
use futures::{
    FutureExt, StreamExt,
    future::{self, BoxFuture},
    stream,
};
use http::{Request, Response};
use tls::{HandshakeLimits, RELOAD_INTERVAL};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    service::Routes,
    transport::{self, server::TcpIncoming},
};
use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tower::{ServiceBuilder, util::MapRequestLayer};
use tracing::{error, info, warn};

use crate::{
    access_service,
    connections::{Connection, Connections, FromPeer, Tracked, serve_each},
    context::Context,
    http2,
    lifecycle::Phase,
    rpc::{
        AdmissionLayer, Callers, DeadlineLayer, OpenCalls, RpcServerLayer, present_certificate, record_caller,
    },
    server_options::ServerOptions,
    service::{BackgroundTask, GrpcRoutes, Service},
    site,
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

/// How often to look for responses that nobody reads.
const SWEEP: Duration = Duration::from_secs(5);

/// The connections of a listener. Without `TCP_NODELAY`, every response waits about 40
/// ms for the acknowledgement of its headers, which the caller delays.
pub(crate) fn incoming(listener: TcpListener) -> TcpIncoming {
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
        let mut tasks = JoinSet::new();
        let stop_accepting = CancellationToken::new();
        let mut doors = Vec::new();
        let mut health = HealthReporter::new();
        let names = service.grpc.iter().map(|grpc| grpc.name).chain([""]).collect::<Vec<_>>();
        let grpc_address = if service.site.as_ref().is_none_or(|site| site.listen.is_some()) {
            for name in &names {
                health.set_service_status(name, ServingStatus::Serving).await;
            }
            let (address, door) = grpc(&service.grpc, &health, &options, stop_accepting.clone()).await?;
            info!(service = service.name, %address, tls = options.tls.is_some(), "listening");
            doors.push(door);
            Some(address)
        } else {
            None
        };
        let site_address = match service.site {
            Some(site) => {
                let (served, door) = site::open(site, &options, &context, stop_accepting.clone()).await?;
                let (address, tls) = (served.address, served.is_encrypted);
                info!(service = service.name, %address, tls, "serving pages");
                doors.push(door);
                Some(address)
            }
            None => None,
        };
        for BackgroundTask { name, run } in service.background {
            tasks.spawn(async move { (name, run.await) });
        }
        for BackgroundTask { name, run } in follow_files(&options, &context) {
            tasks.spawn(async move { (name, run.await) });
        }
        let calls: Vec<OpenCalls> = doors.iter().map(|door| door.calls.clone()).collect();
        for door in &doors {
            let (calls, connections) = (door.calls.clone(), door.connections.clone());
            tasks.spawn(end_unread(calls, connections, options.limits.unread, context.clone()));
        }
        tasks.spawn(async move {
            future::join_all(doors.into_iter().map(|door| door.serving)).await;
            ("the server", Ok(()))
        });
        context.lifecycle.enter(Phase::Ready);
        if let Some(address) = grpc_address.or(site_address) {
            on_listening(address);
        }

        let outcome = tokio::select! {
            () = context.shutdown.cancelled() => Ok(()),
            ended = tasks.join_next() => task_result(ended),
        };
        context.lifecycle.enter(Phase::Draining);
        for name in &names {
            health.set_service_status(name, ServingStatus::NotServing).await;
        }
        context.shutdown.cancel();
        stop_accepting.cancel();
        // Health watchers have been notified; an open watch would use up the whole drain.
        for name in names {
            health.clear_service_status(name).await;
        }
        let drained = drain(&mut tasks, &options, &context, &calls).await;
        outcome.and(drained)
    })
}

/// A port that is open.
pub(crate) struct Door {
    pub(crate) calls: OpenCalls,
    pub(crate) connections: Connections,
    /// Serves until accepting stops and what is open has ended.
    pub(crate) serving: BoxFuture<'static, ()>,
}

/// Opens the gRPC port.
async fn grpc(
    services: &[GrpcRoutes],
    health: &HealthReporter,
    options: &ServerOptions,
    stop: CancellationToken,
) -> anyhow::Result<(SocketAddr, Door)> {
    let asks_who_calls = !options.access.is_open();
    let (has_tls, waived) = (options.tls.is_some(), options.allow_unauthenticated);
    if let Some(warning) = may_listen(options.listen, asks_who_calls, has_tls, waived)? {
        warn!("{warning}");
    }
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    let address = listener.local_addr()?;
    let health_server = HealthServer::new(HealthService::from_health_reporter(health.clone()));
    let routes = merge(services, options.reflection)?
        .add_service(health_server)
        .add_service(access_service::server());
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
    let (sockets, shared) = (incoming(listener), connections.clone());
    let serving: BoxFuture<'static, ()> = match &options.tls {
        Some(tls) => {
            let encrypted = tls.incoming(sockets, handshake_limits(options.limits.connections));
            Box::pin(serve_each(encrypted, shared, stop, server_of(limited)))
        }
        None => Box::pin(serve_each(sockets, shared, stop, server_of(limited))),
    };
    Ok((address, Door { calls, connections, serving }))
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
        let server = http2::grpc_server().layer(with_connection);
        Box::pin(server.serve_with_incoming_shutdown(service.clone(), alone, end.cancelled_owned()))
    }
}

/// Unfinished handshakes have a third of the connections' number to themselves.
pub(crate) fn handshake_limits(connections: usize) -> HandshakeLimits {
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
    for tls in [&options.tls, &options.site_tls].into_iter().flatten() {
        let watching = tls.clone().watch(RELOAD_INTERVAL, context.shutdown.clone());
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
    calls: &[OpenCalls],
) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut outcome = Ok(());
    // The server itself waits for readers that read nothing, so it is the last
    // remaining task.
    let only_readers_are_left = |tasks: &JoinSet<_>| {
        tasks.len() == 1
            && began.elapsed() >= STALLED_AFTER
            && calls.iter().all(|calls| calls.are_quiet_for(STALLED_AFTER))
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
