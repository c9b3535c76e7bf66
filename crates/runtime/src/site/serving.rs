//! Serves a site: its connections, and what they may take.

use std::time::Duration;

use anyhow::Context as _;
use axum::{Router, body::Body, extract::DefaultBodyLimit, middleware};
use futures::future::BoxFuture;
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    Peer, Served, Site, form,
    observed::{Observer, observe},
};
use crate::{
    connections::{Connection, ConnectionLimits, Connections, FromPeer, Tracked, serve_each},
    context::Context,
    http2,
    rpc::OpenCalls,
    server::{Door, handshake_limits, incoming},
    server_options::ServerOptions,
};

/// How long a request's head may take to arrive, and how long a connection of HTTP/1 may be
/// kept between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// The most bytes of a request's head in HTTP/1: room for cookies and for what proxies add.
const HEAD_BYTES: usize = 32 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Listens, and makes the pages.
pub(crate) async fn open(
    site: Site,
    options: &ServerOptions,
    context: &Context,
    stop: CancellationToken,
) -> anyhow::Result<(Served, Door)> {
    // The other half is gRPC's.
    let share = if site.listen.is_some() { 2 } else { 1 };
    let listen = site.listen.unwrap_or(options.listen);
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot serve pages on {listen}"))?;
    let served = Served {
        address: listener.local_addr()?,
        is_encrypted: options.site_tls.is_some(),
        allow_unauthenticated: options.allow_unauthenticated,
    };
    let pages = OpenCalls::default();
    let observer = Observer::new(pages.clone(), options.limits.calls, context.shutdown.clone());
    let router = (site.assemble)(served)?
        .layer(DefaultBodyLimit::max(form::MAX_FORM_BYTES))
        .layer(middleware::from_fn_with_state(observer, observe));
    let limits = options.limits.of_connections();
    let limits = ConnectionLimits { open: limits.open.div_ceil(share), ..limits };
    let connections = Connections::new("site", limits);
    let (sockets, shared) = (incoming(listener), connections.clone());
    let serving: BoxFuture<'static, ()> = match &options.site_tls {
        Some(tls) => {
            let encrypted = tls.incoming(sockets, handshake_limits(limits.open));
            Box::pin(serve_each(encrypted, shared, stop, server_of(router)))
        }
        None => Box::pin(serve_each(sockets, shared, stop, server_of(router))),
    };
    (site.on_listening)(served);
    Ok((served, Door { calls: pages, connections, serving }))
}

/// Serves single connections, in HTTP/1 or HTTP/2, whatever the browser speaks.
fn server_of<IO: FromPeer>(
    router: Router,
) -> impl Fn(Tracked<IO>, Connection, CancellationToken) -> BoxFuture<'static, Result<(), BoxError>> {
    move |io, connection, end| {
        let service = router.clone().map_request(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(connection.clone());
            if let Some(address) = connection.peer() {
                request.extensions_mut().insert(Peer(address.to_canonical()));
            }
            request
        });
        Box::pin(async move {
            let server = server();
            let serving = server.serve_connection(TokioIo::new(io), TowerToHyperService::new(service));
            let mut serving = std::pin::pin!(serving);
            tokio::select! {
                served = serving.as_mut() => return served,
                () = end.cancelled() => serving.as_mut().graceful_shutdown(),
            }
            serving.await
        })
    }
}

fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES);
    http2::limit(server.http2());
    server
}
