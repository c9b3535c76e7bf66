//! What a person reads when a client cannot connect.

use std::{sync::Arc, time::Duration};

use time::{Duration as Days, OffsetDateTime};
use tls::{
    ClientAuth, ClientTls, ClientTlsFiles, ConnectFailure, ConnectOptions, DefaultTimeProvider, ServerTls,
};
use tokio::net::TcpListener;
use tonic::{
    Code,
    transport::{Server, server::TcpIncoming},
};
use tower::Service;

use crate::support::{
    Authority, Pair, Volume, anonymous_client, channel, check, client_of, serve, server_volume,
};

/// What the first call of `client` to a server with `tls` says.
async fn refusal(tls: &ServerTls, client: &ClientTls) -> String {
    let server = serve(tls).await;
    let status = server.call(client).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let prefix = format!("cannot connect to localhost:{}: ", server.address.port());
    status.message().strip_prefix(&prefix).unwrap_or(status.message()).to_owned()
}

/// A server with `pair`, and the CA's name for a client.
fn server_with(pair: &Pair) -> ServerTls {
    Volume::new(&[("tls.crt", &pair.certificate), ("tls.key", &pair.key)]).server(None)
}

#[tokio::test]
async fn a_certificate_of_an_unknown_ca_is_refused() {
    let tls = server_volume(&Authority::new("servers"), "").server(None);
    assert_eq!(
        refusal(&tls, &anonymous_client(&Authority::new("others"))).await,
        "its certificate is signed by no CA that is trusted here: name the file of its CA with --tls-ca-file"
    );
}

#[tokio::test]
async fn the_systems_cas_do_not_know_a_private_one() {
    let tls = server_volume(&Authority::new("servers"), "").server(None);
    let client = match ClientTls::load(ClientTlsFiles::default(), Arc::new(DefaultTimeProvider)) {
        Ok(client) => client,
        // A machine without CA certificates says so at the start.
        Err(cause) => {
            assert!(cause.to_string().contains("--tls-ca-file"), "{cause}");
            return;
        }
    };
    assert!(refusal(&tls, &client).await.contains("no CA that is trusted here"));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_with_its_names() {
    let authority = Authority::new("servers");
    let tls = server_with(&authority.issue(&["ingest-crm", "10.0.0.7"]));
    assert_eq!(
        refusal(&tls, &anonymous_client(&authority)).await,
        "its certificate is for ingest-crm, 10.0.0.7, not for localhost: use one of its names in the URL, \
         or name it with --tls-server-name"
    );
}

#[tokio::test]
async fn a_name_can_be_given_instead_of_the_urls_host() {
    let authority = Authority::new("servers");
    let volume = Volume::new(&[("ca.crt", &authority.pem())]);
    let files = ClientTlsFiles {
        ca: Some(volume.path("ca.crt")),
        server_name: Some("ingest-crm".to_owned()),
        ..ClientTlsFiles::default()
    };
    let client = ClientTls::load(files, Arc::new(DefaultTimeProvider)).unwrap();
    serve(&server_with(&authority.issue(&["ingest-crm"]))).await.call(&client).await.unwrap();
    let other = refusal(&server_with(&authority.issue(&["ingest-api"])), &client).await;
    assert!(other.starts_with("its certificate is for ingest-api, not for ingest-crm: "), "{other}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_its_time() {
    let authority = Authority::new("servers");
    let begins = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    let pair = authority.issue_for(&["localhost"], begins, begins + Days::days(1));
    assert_eq!(
        refusal(&server_with(&pair), &anonymous_client(&authority)).await,
        "its certificate expired at 2023-11-15T22:13:20+00:00"
    );
}

#[tokio::test]
async fn a_certificate_from_the_future_is_refused() {
    let authority = Authority::new("servers");
    let begins = OffsetDateTime::from_unix_timestamp(8_000_000_000).unwrap();
    let pair = authority.issue_for(&["localhost"], begins, begins + Days::days(1));
    assert_eq!(
        refusal(&server_with(&pair), &anonymous_client(&authority)).await,
        "its certificate is not valid yet, but from 2223-07-06T14:13:20+00:00: is the clock right?"
    );
}

#[tokio::test]
async fn a_required_client_certificate_is_asked_for() {
    let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
    let tls = server_volume(&authority, &clients.pem()).server(Some(ClientAuth::Required));
    assert_eq!(
        refusal(&tls, &anonymous_client(&authority)).await,
        "it requires a client certificate: name one with --tls-client-cert-file and --tls-client-key-file"
    );
}

#[tokio::test]
async fn a_client_certificate_that_is_refused_is_named() {
    let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
    let tls = server_volume(&authority, &clients.pem()).server(Some(ClientAuth::Optional));
    assert_eq!(
        refusal(&tls, &client_of(&Authority::new("strangers"), &authority)).await,
        "it refused the client certificate: it does not trust the certificate's CA"
    );
    let begins = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    let expired = clients.issue_for(&["coordinator"], begins, begins + Days::days(1));
    let files = [("tls.crt", &*expired.certificate), ("tls.key", &expired.key), ("ca.crt", &authority.pem())];
    assert_eq!(
        refusal(&tls, &Volume::new(&files).client()).await,
        "it refused the client certificate: it has expired, or is not valid yet"
    );
}

#[tokio::test]
async fn a_port_that_speaks_plain_text_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(Server::builder().add_service(health).serve_with_incoming(TcpIncoming::from(listener)));
    let client = anonymous_client(&Authority::new("servers"));
    let status = check(channel(format!("https://{address}"), &client)).await.unwrap_err();
    let expected = format!("cannot connect to {address}: the port speaks plain text, not TLS: use http://");
    assert_eq!((status.code(), status.message()), (Code::Unavailable, &*expected));
}

/// Why a connection to `url` fails.
async fn failure(url: &str, options: ConnectOptions) -> ConnectFailure {
    let mut connector = anonymous_client(&Authority::new("servers")).connector(&options);
    connector.call(url.parse().unwrap()).await.unwrap_err().failure
}

#[tokio::test]
async fn a_server_that_closes_or_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let limit = Duration::from_millis(50);
    let options = ConnectOptions { handshake_timeout: limit, ..ConnectOptions::default() };
    assert_eq!(failure(&url, options).await, ConnectFailure::SlowHandshake(limit));
    drop(listener.accept().await.unwrap());
    let closing = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        drop(socket);
    });
    assert_eq!(failure(&url, ConnectOptions::default()).await, ConnectFailure::Closed);
    closing.await.unwrap();
    let ConnectFailure::Unreachable(reason) = failure(&url, ConnectOptions::default()).await else {
        panic!("nobody listens");
    };
    assert!(reason.to_lowercase().contains("connection refused"), "{reason}");
}

#[tokio::test]
async fn a_url_without_tls_is_refused() {
    assert_eq!(failure("http://127.0.0.1:1", ConnectOptions::default()).await, ConnectFailure::NotHttps);
}
