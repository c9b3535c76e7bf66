//! Connections between services: over the network, or inside one process.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use tokio::{io::DuplexStream, sync::mpsc};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::Uri};

pub use crate::rpc::Channel;
use crate::{
    connector::{Connector, endpoint},
    server,
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
    let (connections, incoming) = mpsc::unbounded_channel::<std::io::Result<DuplexStream>>();
    let connections = Arc::new(Mutex::new(connections));
    let connector = tower::service_fn(move |_: Uri| {
        let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
        let sent = connections.lock().unwrap_or_else(PoisonError::into_inner).send(Ok(theirs));
        async move {
            sent.map(|()| TokioIo::new(ours)).map_err(|_| {
                std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "the service has ended")
            })
        }
    });
    let endpoint = endpoint("http://in-process")?;
    let channel = Channel::new(endpoint.connect_with_connector_lazy(connector), endpoint.uri().clone(), None);
    let run = async move {
        server::in_process_builder()
            .add_routes(routes)
            .serve_with_incoming_shutdown(UnboundedReceiverStream::new(incoming), shutdown.cancelled_owned())
            .await
            .with_context(|| format!("the in-process server of {name} failed"))
    };
    Ok((channel, BackgroundTask { name, run: Box::pin(run) }))
}
