//! Handshakes of a server: many at once, limited in number and time.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::Stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{AbortHandle, JoinSet},
    time::{Instant, Sleep, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::{
    connection::TlsConnection, handshake_failure::HandshakeFailure, log_limit::LogLimit, server::ServerTls,
};

/// How long to wait after a socket could not be accepted: file descriptors are freed by
/// connections that end, not by trying again at once.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a refused client may take to read why.
const LINGER: Duration = Duration::from_secs(1);

/// How much of what a refused client still sends is read.
const LINGER_BYTES: u64 = 64 * 1024;

/// How often a failed handshake is worth a warning. Anybody can cause them.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// How many handshakes may be unfinished, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandshakeLimits {
    /// How long one may take.
    pub timeout: Duration,
    /// How many may be unfinished at the same time.
    pub unfinished: usize,
    /// How long one keeps its place when all places are taken. Then the oldest is closed,
    /// so that clients that say nothing do not keep out those that do.
    pub grace: Duration,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), unfinished: 1024, grace: Duration::from_secs(1) }
    }
}

/// The connections of a server that have finished their handshake, for tonic's
/// `serve_with_incoming`. A handshake that fails is logged and never ends the stream.
pub struct TlsIncoming<S> {
    /// `None` once no more come.
    sockets: Option<S>,
    /// A socket for whose handshake there is no room yet.
    waiting: Option<TcpStream>,
    tls: ServerTls,
    limits: HandshakeLimits,
    handshakes: JoinSet<(u64, Option<TlsConnection>)>,
    /// By number: the first is the oldest.
    unfinished: BTreeMap<u64, Unfinished>,
    accepted: u64,
    /// After a socket that could not be accepted.
    pause: Option<Pin<Box<Sleep>>>,
    /// Wakes the stream when the oldest handshake has to make room.
    room: Option<Pin<Box<Sleep>>>,
    log: Arc<FailureLog>,
}

struct Unfinished {
    began: Instant,
    peer: SocketAddr,
    task: AbortHandle,
}

impl<S: Stream<Item = io::Result<TcpStream>> + Unpin> TlsIncoming<S> {
    pub(crate) fn new(sockets: S, tls: ServerTls, limits: HandshakeLimits) -> Self {
        Self {
            sockets: Some(sockets),
            waiting: None,
            tls,
            limits,
            handshakes: JoinSet::new(),
            unfinished: BTreeMap::new(),
            accepted: 0,
            pause: None,
            room: None,
            log: Arc::new(FailureLog(LogLimit::new(WARN_EVERY))),
        }
    }

    fn begin(&mut self, socket: TcpStream) {
        // Without a peer the connection has ended already.
        let Ok(peer) = socket.peer_addr() else { return };
        let number = self.accepted;
        self.accepted += 1;
        let handshake = shake_hands(self.tls.acceptor(), socket, peer, self.limits.timeout, self.log.clone());
        let task = self.handshakes.spawn(async move { (number, handshake.await) });
        self.unfinished.insert(number, Unfinished { began: Instant::now(), peer, task });
    }

    /// Ready when another handshake may begin.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.unfinished.len() >= self.limits.unfinished.max(1) {
            let Some(oldest) = self.unfinished.first_entry() else { break };
            let patience = self.limits.grace.saturating_sub(oldest.get().began.elapsed());
            if !patience.is_zero() {
                let mut wait = Box::pin(sleep(patience));
                if wait.as_mut().poll(context).is_pending() {
                    self.room = Some(wait);
                    return Poll::Pending;
                }
            }
            let oldest = oldest.remove();
            oldest.task.abort();
            self.log.failed(oldest.peer, &HandshakeFailure::MadeRoom);
        }
        Poll::Ready(())
    }

    /// The next connection that is ready.
    fn poll_finished(&mut self, context: &mut Context<'_>) -> Poll<TlsConnection> {
        while let Poll::Ready(Some(ended)) = self.handshakes.poll_join_next(context) {
            // One that was closed to make room is no longer listed.
            let Ok((number, connection)) = ended else { continue };
            self.unfinished.remove(&number);
            if let Some(connection) = connection {
                return Poll::Ready(connection);
            }
        }
        Poll::Pending
    }

    /// Begins handshakes until none can begin. Ready once no more sockets come.
    fn poll_sockets(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.waiting.is_none() {
                self.waiting = ready!(self.poll_socket(context));
            }
            if self.waiting.is_none() {
                return Poll::Ready(());
            }
            ready!(self.poll_room(context));
            if let Some(socket) = self.waiting.take() {
                self.begin(socket);
            }
        }
    }

    /// The next socket; `None` once no more come.
    fn poll_socket(&mut self, context: &mut Context<'_>) -> Poll<Option<TcpStream>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            let Some(sockets) = &mut self.sockets else { return Poll::Ready(None) };
            match ready!(Pin::new(sockets).poll_next(context)) {
                Some(Ok(socket)) => return Poll::Ready(Some(socket)),
                Some(Err(cause)) => {
                    self.log.not_accepted(&cause);
                    self.pause = Some(Box::pin(sleep(PAUSE)));
                }
                None => self.sockets = None,
            }
        }
    }
}

impl<S: Stream<Item = io::Result<TcpStream>> + Unpin> Stream for TlsIncoming<S> {
    type Item = io::Result<TlsConnection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Poll::Ready(connection) = self.poll_finished(context) {
                return Poll::Ready(Some(Ok(connection)));
            }
            let accepted = self.accepted;
            let ended = self.poll_sockets(context).is_ready();
            // What has begun must be waited for, too.
            if self.accepted == accepted {
                let is_over = ended && self.handshakes.is_empty();
                return if is_over { Poll::Ready(None) } else { Poll::Pending };
            }
        }
    }
}

impl<S> fmt::Debug for TlsIncoming<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIncoming")
            .field("limits", &self.limits)
            .field("unfinished", &self.unfinished.len())
            .finish_non_exhaustive()
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    socket: TcpStream,
    peer: SocketAddr,
    limit: Duration,
    log: Arc<FailureLog>,
) -> Option<TlsConnection> {
    let failure = match timeout(limit, acceptor.accept(socket).into_fallible()).await {
        Ok(Ok(stream)) => return Some(TlsConnection::new(stream, peer)),
        Ok(Err((cause, socket))) => {
            let failure = HandshakeFailure::from(cause);
            log.failed(peer, &failure);
            let _ = timeout(LINGER, part_from(socket)).await;
            return None;
        }
        Err(_) => HandshakeFailure::TimedOut(limit),
    };
    log.failed(peer, &failure);
    None
}

/// Lets a refused client read the alert. Closing a socket that has unread bytes resets
/// the connection, and the alert would be lost.
async fn part_from(mut socket: TcpStream) -> io::Result<()> {
    socket.shutdown().await?;
    let mut rest = socket.take(LINGER_BYTES);
    let mut buffer = [0; 1024];
    while rest.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Reports failures, but not every one that strangers cause.
struct FailureLog(LogLimit);

impl FailureLog {
    fn failed(&self, peer: SocketAddr, failure: &HandshakeFailure) {
        let admitted = if failure.is_remarkable() { self.0.admit() } else { None };
        if let Some(left_out) = admitted {
            warn!(%peer, error = %failure, left_out, "a TLS handshake failed");
        } else {
            debug!(%peer, error = %failure, "a TLS handshake failed");
        }
    }

    fn not_accepted(&self, cause: &io::Error) {
        if let Some(left_out) = self.0.admit() {
            warn!(error = %cause, left_out, "cannot accept a connection");
        } else {
            debug!(error = %cause, "cannot accept a connection");
        }
    }
}
