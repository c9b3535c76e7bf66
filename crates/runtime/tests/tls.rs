//! A call over TLS between two parties with certificates, and the telemetry about it, which
//! goes to a collector over TLS.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use access::{Access, Environment};
use clap::Parser;
use futures::StreamExt;
use proto::activity::v1::{
    GetFreshnessRequest, company_activity_service_client::CompanyActivityServiceClient,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use runtime::{
    ClientArgs, Clock, Context, LogWriter, ServerOptions, Service, SystemClock, Telemetry, TelemetryArgs,
    serve,
};
use test_telemetry::Receiver;
use tls::{ClientAuth, ClientVerification, DefaultTimeProvider, HandshakeLimits, ServerTls, ServerTlsFiles};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tonic::{Code, transport::server::TcpIncoming};

const CLIENT: &str = "spiffe://example.org/ns/reporting/sa/notebook";

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// A CA and the certificates that it has signed, as files.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(files.path("ca.crt"), authority.pem()).unwrap();
        for (name, subject) in [
            ("server", SanType::IpAddress([127, 0, 0, 1].into())),
            ("client", SanType::URI(CLIENT.try_into().unwrap())),
        ] {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.subject_alt_names.push(subject);
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            fs::write(files.path(&format!("{name}.crt")), certificate.pem()).unwrap();
            fs::write(files.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn server(&self, clients: Option<ClientVerification>) -> ServerTls {
        let (certificate, key) = (self.path("server.crt"), self.path("server.key"));
        let files = ServerTlsFiles { certificate, key, clients };
        ServerTls::load(files, Arc::new(DefaultTimeProvider)).unwrap()
    }

    fn policy(&self, text: &str) -> Access {
        let file = self.path("access.yaml");
        fs::write(&file, text).unwrap();
        let environment =
            Environment { clock: Arc::new(|| SystemClock.now()), http: Arc::new(reqwest::Client::builder) };
        Access::from_file(file, environment).unwrap()
    }
}

/// Speaks TLS in front of a collector that speaks plain text.
async fn with_tls(tls: ServerTls, collector: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut connections = tls.incoming(TcpIncoming::from(listener), HandshakeLimits::default());
        while let Some(connection) = connections.next().await {
            let mut inner = TcpStream::connect(collector).await.unwrap();
            let mut outer = connection.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut outer, &mut inner).await });
        }
    });
    address
}

fn flag(name: &str, file: &Path) -> String {
    format!("--{name}={}", file.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_names_the_caller_in_a_trace_that_a_collector_receives_over_tls() {
    let (files, collector) = (Files::new(), Receiver::start().await.unwrap());
    let inner = collector.endpoint().trim_start_matches("http://").parse().unwrap();
    let secured = with_tls(files.server(None), inner).await;
    let line = CommandLine::parse_from([
        "program".to_owned(),
        format!("--otlp-endpoint=https://{secured}"),
        flag("otlp-ca-file", &files.path("ca.crt")),
        "--trace-query-ratio=1".to_owned(),
        flag("tls-ca-file", &files.path("ca.crt")),
        flag("tls-client-cert-file", &files.path("client.crt")),
        flag("tls-client-key-file", &files.path("client.key")),
    ]);
    let telemetry = Telemetry::start("test", &line.telemetry, LogWriter::stdout()).unwrap();

    let verification = ClientVerification { ca: files.path("ca.crt"), auth: ClientAuth::Optional };
    let options = ServerOptions {
        tls: Some(files.server(Some(verification))),
        access: files.policy(&format!("grants: [{{identity: \"{CLIENT}\", roles: [reader]}}]")),
        ..ServerOptions::default()
    };
    let (context, (listening, address)) = (Context::new(), oneshot::channel());
    let serving = tokio::spawn(serve(Service::new("empty"), options, context.clone(), |address| {
        listening.send(address).unwrap();
    }));
    let url = format!("https://{}", address.await.unwrap());

    let ask = async |client: &ClientArgs| {
        let channel = client.connector().unwrap().connect_now(&url).await.unwrap();
        let mut client = CompanyActivityServiceClient::new(channel);
        client.get_freshness(GetFreshnessRequest {}).await.unwrap_err().code()
    };
    // Let in, to where nothing is served.
    assert_eq!(ask(&line.client).await, Code::Unimplemented);
    let mut nobody = line.client.clone();
    (nobody.tls.tls_client_cert_file, nobody.tls.tls_client_key_file) = (None, None);
    assert_eq!(ask(&nobody).await, Code::Unauthenticated);

    let named = |id: &String| id == CLIENT;
    let span = collector.span(|span| span.attributes.get("enduser.id").is_some_and(named)).await.unwrap();
    assert_eq!(
        span.attributes["rpc.method"],
        "company_activity.activity.v1.CompanyActivityService/GetFreshness"
    );
    context.shutdown.cancel();
    serving.await.unwrap().unwrap();
    tokio::task::spawn_blocking(|| telemetry.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_others_would_reach_asks_who_they_are_or_does_not_start() {
    let everywhere =
        ServerOptions { listen: SocketAddr::from(([0, 0, 0, 0], 0)), ..ServerOptions::default() };
    let refusal = serve(Service::new("empty"), everywhere, Context::new(), |_| ()).await.unwrap_err();
    let message = refusal.to_string();
    assert!(message.contains("--access-file") && message.contains("--allow-unauthenticated"), "{message}");
    let both = ServerOptions {
        access: Files::new().policy("grants: [{identity: dns:a, roles: [reader]}]"),
        allow_unauthenticated: true,
        ..ServerOptions::default()
    };
    let refusal = serve(Service::new("empty"), both, Context::new(), |_| ()).await.unwrap_err();
    assert!(refusal.to_string().contains("contradict"), "{refusal}");
}
