//! A listener of plain HTTP with a limit of its own, for axum.

use std::{io, net::SocketAddr};

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};

use super::{Connections, Tracked};

/// Accepts connections within the limits of a port.
pub(crate) struct LimitedListener {
    listener: TcpListener,
    connections: Connections,
}

impl LimitedListener {
    pub(crate) const fn new(listener: TcpListener, connections: Connections) -> Self {
        Self { listener, connections }
    }
}

impl Listener for LimitedListener {
    type Io = Tracked<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            // Waits by itself after an error, for example without a free descriptor.
            let (socket, address) = Listener::accept(&mut self.listener).await;
            // Responses are sent at once. If that cannot be set, they are only a little slower.
            drop(socket.set_nodelay(true));
            let Some(place) = self.connections.admit(Some(address.ip())).await else { continue };
            let (state, connections) = (place.state.clone(), self.connections.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = connections.supervise(&state) => {}
                    () = state.gone.cancelled() => {}
                    // Nothing is lost: HTTP/1 answers one request at a time, and none is open.
                    () = state.closing.cancelled() => state.cut.cancel(),
                }
            });
            return (Tracked::new(socket, place), address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
