//! Connections between services: over the network, or inside one process.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use access::Access;
use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use tokio::{io::DuplexStream, sync::mpsc};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Server, Uri},
};
use tower::{
    layer::util::{Identity, Stack},
    util::MapRequestLayer,
};

pub use crate::rpc::Channel;
use crate::{
    access_service,
    connector::{Connector, endpoint},
    http2,
    rpc::{DeadlineLayer, OpenCalls, RpcServerLayer, record_caller},
    service::BackgroundTask,
};

/// Buffer for the bytes in flight on an in-process connection.
const DUPLEX_BYTES: usize = 256 * 1024;

/// A channel to a service that asks nobody who they are, as [`Connector::connect`].
///
/// # Errors
/// If the URL is invalid.
pub fn connect(url: &str) -> anyhow::Result<Channel> {
    Connector::default().connect(url)
}

/// A channel to `routes` served inside this process: the same gRPC over HTTP/2, through
/// memory instead of a socket. Only this process can call it, so nobody is asked who they
/// are. The task serves the routes until `shutdown`.
///
/// # Errors
/// Never in practice: the endpoint's address is a constant.
pub fn in_process(
    name: &'static str,
    routes: Routes,
    shutdown: CancellationToken,
) -> anyhow::Result<(Channel, BackgroundTask)> {
    let (channel, incoming) = through_memory()?;
    let serving = server().add_routes(routes).serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned());
    let run = async move { serving.await.with_context(|| failed(name)) };
    Ok((channel, BackgroundTask { name, run: Box::pin(run) }))
}

/// The same, but each call is asked who makes it, by the policy of the gRPC port: for whoever
/// calls in the name of others, as the console does.
///
/// # Errors
/// As [`in_process`].
pub fn in_process_asking(
    name: &'static str,
    routes: Routes,
    access: Access,
    shutdown: CancellationToken,
) -> anyhow::Result<(Channel, BackgroundTask)> {
    let (channel, incoming) = through_memory()?;
    let serving = server()
        .layer(access.layer())
        .layer(MapRequestLayer::new(record_caller))
        .add_routes(routes.add_service(access_service::server()))
        .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned());
    let run = async move { serving.await.with_context(|| failed(name)) };
    Ok((channel, BackgroundTask { name, run: Box::pin(run) }))
}

/// A channel, and the other ends of its connections.
fn through_memory() -> anyhow::Result<(Channel, UnboundedReceiverStream<io::Result<DuplexStream>>)> {
    let (connections, incoming) = mpsc::unbounded_channel::<io::Result<DuplexStream>>();
    let connections = Arc::new(Mutex::new(connections));
    let connector = tower::service_fn(move |_: Uri| {
        let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
        let sent = connections.lock().unwrap_or_else(PoisonError::into_inner).send(Ok(theirs));
        async move {
            sent.map(|()| TokioIo::new(ours))
                .map_err(|_| io::Error::new(io::ErrorKind::ConnectionRefused, "the service has ended"))
        }
    });
    let endpoint = endpoint("http://in-process")?;
    let channel = Channel::new(endpoint.connect_with_connector_lazy(connector), endpoint.uri().clone(), true, None);
    Ok((channel, UnboundedReceiverStream::new(incoming)))
}

/// A server for this process alone, whose calls have spans and end at their deadlines.
fn server() -> Server<Stack<DeadlineLayer, Stack<RpcServerLayer, Identity>>> {
    http2::grpc_server().layer(RpcServerLayer::new(OpenCalls::default())).layer(DeadlineLayer)
}

fn failed(name: &str) -> String {
    format!("the in-process server of {name} failed")
}
