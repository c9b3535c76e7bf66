//! The limits of HTTP/2, the same for gRPC and for pages. Each is set on purpose, whatever its
//! default is in this version.

use std::time::Duration;

use hyper_util::{rt::TokioTimer, server::conn::auto::Http2Builder};
use tonic::transport::Server;

/// How often a connection is asked whether its peer is alive, and how long the answer may take.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

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

/// A tonic server with HTTP/2 keepalive, which is off by default.
///
/// tonic's own TCP options (`tcp_nodelay`, `tcp_keepalive` and its intervals) would have no
/// effect: they apply where tonic makes the listener, and ours comes from outside, so
/// [`incoming`](crate::server::incoming) sets both. All others (`http2_*`,
/// `max_connection_age`, `timeout`, limits, `accept_http1`) apply to any connection.
pub(crate) fn grpc_server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_pending_accept_reset_streams(Some(RESETS_WHILE_PENDING))
        .http2_max_local_error_reset_streams(Some(RESETS_FOR_ERRORS))
}

/// The same for a server of pages.
pub(crate) fn limit<E>(mut server: Http2Builder<'_, E>) {
    server
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(KEEPALIVE_INTERVAL))
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .max_header_list_size(HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_pending_accept_reset_streams(Some(RESETS_WHILE_PENDING))
        .max_local_error_reset_streams(Some(RESETS_FOR_ERRORS));
}
