//! Calls over TLS, with and without client certificates.

use std::sync::Arc;

use futures::{StreamExt, stream};
use rustix::net::sockopt;
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use tls::{ClientAuth, ClientTls, ConnectOptions, HandshakeLimits, PeerNames, peer_names};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{Code, transport::Endpoint};
use tower::Service;

use crate::support::{
    Authority, Log, TestServer, anonymous_client, channel, check, client_of, serve, server_volume,
};

fn names_of_last_caller(server: &TestServer) -> PeerNames {
    server.peers.lock().unwrap().last().unwrap().names()
}

#[tokio::test]
async fn a_client_without_certificate_calls_over_tls() {
    let authority = Authority::new("servers");
    let server = serve(&server_volume(&authority, "").server(None)).await;
    server.call(&anonymous_client(&authority)).await.unwrap();
    let peers = server.peers.lock().unwrap();
    assert!(peers[0].certificates.is_empty());
    assert!(peers[0].remote_address.ip().is_loopback());
    assert_eq!(peers[0].names(), PeerNames::default());
}

#[tokio::test]
async fn a_service_knows_its_caller_by_the_names_in_the_certificate() {
    let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
    let tls = server_volume(&authority, &clients.pem()).server(Some(ClientAuth::Required));
    let server = serve(&tls).await;
    server.call(&client_of(&clients, &authority)).await.unwrap();
    let expected = PeerNames {
        uris: vec!["spiffe://company/coordinator".to_owned()],
        dns_names: vec!["coordinator.company.svc".to_owned()],
    };
    assert_eq!(names_of_last_caller(&server), expected);
}

#[test]
fn a_certificate_that_cannot_be_parsed_names_nobody() {
    assert_eq!(peer_names(&[CertificateDer::from(vec![0x30, 3, 1, 2, 3])]), PeerNames::default());
    assert_eq!(peer_names(&[]), PeerNames::default());
}

#[tokio::test]
async fn an_optional_client_certificate_is_verified_if_it_is_shown() {
    let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
    let tls = server_volume(&authority, &clients.pem()).server(Some(ClientAuth::Optional));
    let server = serve(&tls).await;
    server.call(&anonymous_client(&authority)).await.unwrap();
    assert_eq!(names_of_last_caller(&server), PeerNames::default());
    server.call(&client_of(&clients, &authority)).await.unwrap();
    assert_eq!(names_of_last_caller(&server).uris, ["spiffe://company/coordinator"]);
    let stranger = client_of(&Authority::new("strangers"), &authority);
    let refused = server.call(&stranger).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
}

#[tokio::test]
async fn an_address_can_be_verified_as_well_as_a_name() {
    let authority = Authority::new("servers");
    let server = serve(&server_volume(&authority, "").server(None)).await;
    let url = format!("https://{}", server.address);
    check(channel(url, &anonymous_client(&authority))).await.unwrap();
}

#[tokio::test]
async fn a_connection_sends_at_once_and_notices_a_lost_peer() {
    let authority = Authority::new("servers");
    let server = serve(&server_volume(&authority, "").server(None)).await;
    let mut connector = anonymous_client(&authority).connector(&ConnectOptions::default());
    let connection = connector.call(server.url().parse().unwrap()).await.unwrap();
    let (socket, _) = connection.inner().get_ref();
    assert!(sockopt::tcp_nodelay(socket).unwrap());
    assert!(sockopt::socket_keepalive(socket).unwrap());
    assert_eq!(sockopt::tcp_keepidle(socket).unwrap().as_secs(), 60);
}

#[tokio::test]
async fn a_socket_that_cannot_be_accepted_does_not_end_the_server() {
    let authority = Authority::new("servers");
    let tls = server_volume(&authority, "").server(None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let mut connector = anonymous_client(&authority).connector(&ConnectOptions::default());
    let calling = tokio::spawn(async move { connector.call(url.parse().unwrap()).await.map(drop) });
    let (accepted, _) = listener.accept().await.unwrap();
    let too_many_open_files = std::io::Error::from_raw_os_error(24);
    let sockets = stream::iter([Err(too_many_open_files), Ok(accepted)]);
    let mut incoming = tls.incoming(sockets, HandshakeLimits::default());
    assert!(incoming.next().await.unwrap().is_ok());
    assert!(incoming.next().await.is_none(), "no more sockets come");
    calling.await.unwrap().unwrap();
}

/// A connection of a client that is not ours, to `server`.
async fn foreign_connection(
    server: &TestServer,
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(server.address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect("localhost".try_into().unwrap(), socket).await.unwrap()
}

#[tokio::test]
async fn a_refused_client_that_goes_on_talking_can_read_why() {
    let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
    let tls = server_volume(&authority, &clients.pem()).server(Some(ClientAuth::Required));
    let server = serve(&tls).await;
    let mut stream = foreign_connection(&server, &authority, &TLS13).await;
    stream.write_all(&vec![0; 40_000]).await.unwrap();
    let cause = stream.read(&mut [0]).await.unwrap_err();
    assert!(cause.to_string().contains("CertificateRequired"), "{cause}");
    // Closed, not reset: some systems forget unread bytes after a reset, the alert among them.
    assert_eq!(stream.get_mut().0.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn tls_1_2_is_accepted() {
    let authority = Authority::new("servers");
    let server = serve(&server_volume(&authority, "").server(None)).await;
    let stream = foreign_connection(&server, &authority, &TLS12).await;
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_2));
}

#[tokio::test]
async fn tls_1_1_is_refused() {
    let server = serve(&server_volume(&Authority::new("servers"), "").server(None)).await;
    let mut client_hello = vec![0x03, 0x02];
    client_hello.extend([7; 32]);
    // No session, the cipher suite ECDHE_RSA_WITH_AES_128_CBC_SHA, no compression.
    client_hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    // The signature algorithm RSA with SHA-256, without which that would be the complaint.
    client_hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 1]);
    let length = u8::try_from(client_hello.len()).unwrap();
    let mut record = vec![22, 0x03, 0x01, 0, length + 4, 1, 0, 0, length];
    record.extend(client_hello);
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&record).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    // A fatal alert, protocol_version.
    assert_eq!((answer[0], &answer[5..]), (21, &[2, 70][..]), "{answer:?}");
}

/// A call in plain text to `server`.
async fn call_in_plain_text(server: &TestServer) -> Code {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    check(endpoint.connect_lazy()).await.unwrap_err().code()
}

#[tokio::test]
async fn the_log_says_why_a_handshake_failed() {
    let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
    let strangers = Authority::new("strangers");
    let tls = server_volume(&authority, &clients.pem()).server(Some(ClientAuth::Required));
    let callers: [(Option<ClientTls>, &str); 4] = [
        (None, "the client speaks plain text: it should use https://"),
        (Some(anonymous_client(&authority)), "the client showed no certificate, and it has to"),
        (Some(client_of(&strangers, &authority)), "the client's certificate is refused: "),
        (Some(client_of(&clients, &strangers)), "the client refused it (UnknownCA): "),
    ];
    for (caller, expected) in callers {
        let (log, _guard) = Log::capture();
        let server = serve(&tls).await;
        match caller {
            None => drop(call_in_plain_text(&server).await),
            Some(client) => drop(server.call(&client).await.unwrap_err()),
        }
        log.says(expected).await;
        log.says("a TLS handshake failed peer=127.0.0.1:").await;
        // The server goes on.
        server.call(&client_of(&clients, &authority)).await.unwrap();
    }
}
