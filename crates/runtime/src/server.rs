//! The gRPC server: health, reflection, keepalive and a bounded drain.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use access::may_listen;
use anyhow::Context as _;
use futures::{FutureExt, future::BoxFuture};
use tls::{HandshakeLimits, RELOAD_INTERVAL};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tower::{
    layer::util::{Identity, Stack},
    util::MapRequestLayer,
};
use tracing::{error, info, warn};

use crate::{
    context::Context,
    lifecycle::Phase,
    rpc::{DeadlineLayer, OpenCalls, RpcServerLayer, present_certificate, record_caller},
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

/// A tonic server with HTTP/2 keepalive, which is off by default, a span for every call, and
/// an end to every call at its deadline.
///
/// tonic's own TCP options (`tcp_nodelay`, `tcp_keepalive` and its intervals) would have no
/// effect: they apply where tonic makes the listener, and ours comes from outside, so
/// [`incoming`] sets both. All others (`http2_*`, `max_connection_age`, `timeout`, limits,
/// `accept_http1`) apply to any connection.
pub(crate) fn builder(calls: OpenCalls) -> Server<Stack<DeadlineLayer, Stack<RpcServerLayer, Identity>>> {
    Server::builder()
        .layer(RpcServerLayer::new(calls))
        .layer(DeadlineLayer)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
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
        let routes = merge(&service.grpc, options.reflection)?.add_service(health_server);

        let mut tasks = JoinSet::new();
        for BackgroundTask { name, run } in service.background {
            tasks.spawn(async move { (name, run.await) });
        }
        for BackgroundTask { name, run } in follow_files(&options, &context) {
            tasks.spawn(async move { (name, run.await) });
        }
        let stop_accepting = CancellationToken::new();
        let calls = OpenCalls::default();
        let router = builder(calls.clone())
            .layer(MapRequestLayer::new(present_certificate))
            .layer(options.access.clone().layer())
            .layer(MapRequestLayer::new(record_caller))
            .add_routes(routes);
        let (sockets, stopped) = (incoming(listener), stop_accepting.clone().cancelled_owned());
        let server: BoxFuture<'static, _> = match &options.tls {
            Some(tls) => {
                let connections = tls.incoming(sockets, HandshakeLimits::default());
                Box::pin(router.serve_with_incoming_shutdown(connections, stopped))
            }
            None => Box::pin(router.serve_with_incoming_shutdown(sockets, stopped)),
        };
        tasks.spawn(async move { ("the gRPC server", server.await.map_err(anyhow::Error::from)) });
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
