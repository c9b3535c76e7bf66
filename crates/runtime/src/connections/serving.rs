//! Serves each connection of a port as long as its limits allow.

use std::{fmt::Display, io, net::IpAddr, time::Duration};

use futures::{Stream, StreamExt, future::BoxFuture};
use tls::TlsConnection;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use super::{Connection, Connections, Tracked};

/// How long to wait after a connection could not be accepted: file descriptors are freed by
/// connections that end, not by trying again at once.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection of a caller.
pub(crate) trait FromPeer: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static {
    /// The address at the other end; `None` if it has gone already.
    fn peer(&self) -> Option<IpAddr>;
}

impl FromPeer for TcpStream {
    fn peer(&self) -> Option<IpAddr> {
        self.peer_addr().ok().map(|address| address.ip())
    }
}

impl FromPeer for TlsConnection {
    fn peer(&self) -> Option<IpAddr> {
        Some(self.connect_info().remote_address.ip())
    }
}

/// Serves connections until `stop`, then waits for those that are open. `serve` serves one
/// until it has ended; the token asks it to end the connection without losing a call.
pub(crate) async fn serve_each<S, IO, E>(
    incoming: S,
    connections: Connections,
    stop: CancellationToken,
    serve: impl Fn(Tracked<IO>, Connection, CancellationToken) -> BoxFuture<'static, Result<(), E>>,
) where
    S: Stream<Item = io::Result<IO>> + Send + 'static,
    IO: FromPeer,
    E: Display + Send + 'static,
{
    let open = TaskTracker::new();
    // Dropped, and so no longer listening, before the wait.
    let mut incoming = Box::pin(incoming);
    loop {
        let accepting = async {
            match incoming.next().await? {
                Ok(io) => {
                    let peer = io.peer();
                    Some(connections.admit(peer).await.map(|place| (io, place)))
                }
                Err(cause) => {
                    connections.not_accepted(&cause);
                    sleep(PAUSE).await;
                    Some(None)
                }
            }
        };
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accepting => accepted,
        };
        let Some(accepted) = accepted else { break };
        let Some((io, place)) = accepted else { continue };
        let (state, connections) = (place.state.clone(), connections.clone());
        let end = CancellationToken::new();
        let serving = serve(Tracked::new(io, place), Connection(state.clone()), end.clone());
        let stop = stop.clone();
        open.spawn(async move {
            let ending = async {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = state.closing.cancelled() => {}
                    () = state.gone.cancelled() => {}
                }
                end.cancel();
                std::future::pending::<()>().await;
            };
            let supervising = async {
                connections.supervise(&state).await;
                std::future::pending::<()>().await;
            };
            tokio::select! {
                served = serving => {
                    if let Err(cause) = served {
                        debug!(error = %cause, "a connection could not be served");
                    }
                }
                () = ending => {}
                () = supervising => {}
            }
        });
    }
    drop(incoming);
    open.close();
    open.wait().await;
}

impl Connections {
    fn not_accepted(&self, cause: &io::Error) {
        if let Some(left_out) = self.0.log.admit() {
            warn!(error = %cause, left_out, "cannot accept a connection");
        } else {
            debug!(error = %cause, "cannot accept a connection");
        }
    }
}
