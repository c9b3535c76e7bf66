//! Pages: in place of gRPC and beside it, and what becomes of their connections.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    response::sse::{Event, Sse},
    routing::get,
};
use futures::{StreamExt, stream};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use reqwest::Version;
use runtime::{Context, Limits, Served, ServerOptions, Service, Site, serve};
use tls::{DefaultTimeProvider, ServerTls, ServerTlsFiles};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_stream::wrappers::WatchStream;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// Long enough for anything on this machine.
const AT_MOST: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    context: Context,
    server: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Serves pages, one of which tells of each number.
    async fn start(numbers: watch::Receiver<u32>, options: ServerOptions) -> Self {
        let context = Context::new();
        let (listening, address) = oneshot::channel();
        let site = Site::new(move |served: Served| {
            let number = move || {
                let numbers = WatchStream::new(numbers.clone());
                let events =
                    numbers.map(|number| Ok::<_, std::io::Error>(Event::default().data(number.to_string())));
                async move { Sse::new(events.chain(stream::pending())) }
            };
            let whole = format!("encrypted={}", served.is_encrypted);
            Ok(Router::new().route("/", get(async move || whole)).route("/events", get(number)))
        });
        let service = Service::new("pages").with_site(site);
        let server = serve(service, options, context.clone(), |address| listening.send(address).unwrap());
        let server = tokio::spawn(server);
        Self { address: address.await.unwrap(), context, server }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn get_page(url: String) -> reqwest::Result<reqwest::Response> {
    reqwest::Client::builder().no_proxy().build()?.get(url).send().await
}

fn options() -> ServerOptions {
    ServerOptions { drain_timeout: AT_MOST, ..ServerOptions::default() }
}

#[tokio::test]
async fn browsers_speak_http_1_or_2_with_tls_or_without() {
    let (_numbers, receiver) = watch::channel(0);
    let plain = Running::start(receiver.clone(), options()).await;
    let answer = get_page(plain.url("/")).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_11);
    assert_eq!(answer.text().await.unwrap(), "encrypted=false");
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    assert_eq!(client.get(plain.url("/")).send().await.unwrap().version(), Version::HTTP_2);

    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    let key = KeyPair::generate().unwrap();
    let (certificate, key_file) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    fs::write(&certificate, params.signed_by(&key, &authority).unwrap().pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let files = ServerTlsFiles { certificate, key: key_file, clients: None };
    let tls = ServerTls::load(files, Arc::new(DefaultTimeProvider)).unwrap().for_browsers();
    let encrypted = Running::start(receiver, ServerOptions { site_tls: Some(tls), ..options() }).await;
    let url = encrypted.url("/").replace("http:", "https:");
    let authority = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    for (is_old, version) in [(false, Version::HTTP_2), (true, Version::HTTP_11)] {
        let client = reqwest::Client::builder().tls_certs_only([authority.clone()]);
        let client = if is_old { client.http1_only() } else { client }.build().unwrap();
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.version(), version);
        assert_eq!(answer.text().await.unwrap(), "encrypted=true");
    }
}

#[tokio::test]
async fn pages_are_served_beside_grpc() {
    let context = Context::new();
    let (page_listening, page_address) = oneshot::channel();
    let (listening, address) = oneshot::channel();
    let site = Site::new(|_| Ok(Router::new().route("/", get(async || "a page"))))
        .beside_grpc(SocketAddr::from(([127, 0, 0, 1], 0)))
        .on_listening(|served| page_listening.send(served.address).unwrap());
    let service = Service::new("both").with_site(site);
    let server =
        tokio::spawn(serve(service, options(), context.clone(), |address| listening.send(address).unwrap()));
    let (address, page_address) = (address.await.unwrap(), page_address.await.unwrap());
    let page = get_page(format!("http://{page_address}/")).await.unwrap().text().await.unwrap();
    assert_eq!(page, "a page");
    let channel = runtime::channel::connect(&format!("http://{address}")).unwrap();
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
    context.shutdown.cancel();
    timeout(AT_MOST, server).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_of_events_ends_when_the_server_does() {
    let (_numbers, receiver) = watch::channel(7);
    let Running { address, context, server } = Running::start(receiver, options()).await;
    let mut events = get_page(format!("http://{address}/events")).await.unwrap();
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 7\n\n");
    context.shutdown.cancel();
    timeout(AT_MOST, server).await.unwrap().unwrap().unwrap();
    assert_eq!(events.chunk().await.unwrap(), None, "it ends as a whole");
}

#[tokio::test]
async fn a_stream_that_is_read_is_not_idle_and_a_connection_without_a_request_is() {
    let (numbers, receiver) = watch::channel(1);
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let running = Running::start(receiver, ServerOptions { limits, ..options() }).await;
    let mut events = get_page(running.url("/events")).await.unwrap();
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 1\n\n");

    let mut idle = TcpStream::connect(running.address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    timeout(AT_MOST, idle.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&answer).ends_with("encrypted=false"));

    // By now the stream has been without an event for longer than a connection may be idle.
    numbers.send(2).unwrap();
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 2\n\n");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_cut_off() {
    let (_numbers, receiver) = watch::channel(0);
    let limits = Limits { silence: Duration::from_millis(50), ..Limits::default() };
    let running = Running::start(receiver, ServerOptions { limits, ..options() }).await;
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut answer = Vec::new();
    // The end, or a reset: nothing is answered.
    let _ = timeout(AT_MOST, slow.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn slow_forms_hold_no_page_up() {
    let (_numbers, receiver) = watch::channel(0);
    let limits = Limits { calls: 2, ..Limits::default() };
    let running = Running::start(receiver, ServerOptions { limits, ..options() }).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut form = TcpStream::connect(running.address).await.unwrap();
        form.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na").await.unwrap();
        slow.push(form);
    }
    for _ in 0..4 {
        assert_eq!(get_page(running.url("/")).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_long_form_is_refused_before_it_is_sent() {
    let (_numbers, receiver) = watch::channel(0);
    let running = Running::start(receiver, options()).await;
    let mut form = TcpStream::connect(running.address).await.unwrap();
    form.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    timeout(AT_MOST, form.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    for header in ["x-content-type-options: nosniff", "cache-control: no-store", "content-security-policy"] {
        assert!(answer.contains(header), "{answer}");
    }
}
