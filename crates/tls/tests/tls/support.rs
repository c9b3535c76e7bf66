//! Certificates, volumes, servers and clients for the tests.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use time::{Duration as Days, OffsetDateTime};
use tls::{
    ClientAuth, ClientTls, ClientTlsFiles, ClientVerification, ConnectOptions, DefaultTimeProvider,
    HandshakeLimits, Identity, PeerInfo, ServerTls, ServerTlsFiles,
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Request, Status,
    service::interceptor::InterceptorLayer,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tracing_subscriber::fmt::MakeWriter;

/// A CA.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `names`, of which those with a scheme are URIs.
    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        let now = OffsetDateTime::now_utc();
        self.issue_for(names, now - Days::days(1), now + Days::days(90))
    }

    pub(crate) fn issue_for(&self, names: &[&str], begins: OffsetDateTime, ends: OffsetDateTime) -> Pair {
        let (uris, hosts): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.contains("://"));
        let hosts: Vec<String> = hosts.into_iter().map(str::to_owned).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        let uris = uris.into_iter().map(|uri| SanType::URI(uri.try_into().unwrap()));
        params.subject_alt_names.extend(uris);
        (params.not_before, params.not_after) = (begins, ends);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A folder as Kubernetes mounts it: every file is a link through `..data`, a link that
/// is swapped when contents change.
pub(crate) struct Volume {
    folder: tempfile::TempDir,
    versions: usize,
}

impl Volume {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let mut volume = Self { folder: tempfile::tempdir().unwrap(), versions: 0 };
        volume.publish(files);
        volume
    }

    /// Replaces all contents at once.
    pub(crate) fn publish(&mut self, files: &[(&str, &str)]) {
        self.versions += 1;
        let version = format!("..version_{}", self.versions);
        fs::create_dir(self.path(&version)).unwrap();
        for (name, content) in files {
            fs::write(self.path(&version).join(name), content).unwrap();
        }
        symlink(&version, self.path("..data_tmp")).unwrap();
        fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        for (name, _) in files {
            if !self.path(name).is_symlink() {
                symlink(Path::new("..data").join(name), self.path(name)).unwrap();
            }
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server's files in it: `tls.crt`, `tls.key` and, if clients are verified, `ca.crt`.
    pub(crate) fn server_files(&self, auth: Option<ClientAuth>) -> ServerTlsFiles {
        ServerTlsFiles {
            certificate: self.path("tls.crt"),
            key: self.path("tls.key"),
            clients: auth.map(|auth| ClientVerification { ca: self.path("ca.crt"), auth }),
        }
    }

    pub(crate) fn server(&self, auth: Option<ClientAuth>) -> ServerTls {
        ServerTls::load(self.server_files(auth), Arc::new(DefaultTimeProvider)).unwrap()
    }

    /// A client with the CA `ca.crt`, and the certificate `tls.crt` if there is one.
    pub(crate) fn client(&self) -> ClientTls {
        let identity = Identity { certificate: self.path("tls.crt"), key: self.path("tls.key") };
        let identity = identity.certificate.exists().then_some(identity);
        let files = ClientTlsFiles { ca: Some(self.path("ca.crt")), identity, server_name: None };
        ClientTls::load(files, Arc::new(DefaultTimeProvider)).unwrap()
    }
}

/// The volume of a server with a certificate for this machine.
pub(crate) fn server_volume(authority: &Authority, client_ca: &str) -> Volume {
    let pair = authority.issue(&["localhost", "127.0.0.1"]);
    Volume::new(&[("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", client_ca)])
}

/// A client that shows no certificate.
pub(crate) fn anonymous_client(authority: &Authority) -> ClientTls {
    Volume::new(&[("ca.crt", &authority.pem())]).client()
}

/// A client that shows a certificate of `own`.
pub(crate) fn client_of(own: &Authority, trusted: &Authority) -> ClientTls {
    let pair = own.issue(&["spiffe://company/coordinator", "coordinator.company.svc"]);
    let files = [("tls.crt", &*pair.certificate), ("tls.key", &pair.key), ("ca.crt", &trusted.pem())];
    Volume::new(&files).client()
}

/// A health service over TLS, which ends with this value.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) peers: Arc<Mutex<Vec<PeerInfo>>>,
    _stop: DropGuard,
}

pub(crate) async fn serve(tls: &ServerTls) -> TestServer {
    serve_within(tls, HandshakeLimits::default()).await
}

pub(crate) async fn serve_within(tls: &ServerTls, limits: HandshakeLimits) -> TestServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let peers = Arc::new(Mutex::new(Vec::new()));
    let seen = peers.clone();
    let remember = move |request: Request<()>| -> Result<Request<()>, Status> {
        seen.lock().unwrap().push(request.extensions().get::<PeerInfo>().unwrap().clone());
        Ok(request)
    };
    let stop = CancellationToken::new();
    let (reporter, health) = tonic_health::server::health_reporter();
    let incoming = tls.incoming(TcpIncoming::from(listener).with_nodelay(Some(true)), limits);
    let stopped = stop.clone().cancelled_owned();
    tokio::spawn(async move {
        let _reporter = reporter;
        Server::builder()
            .layer(InterceptorLayer::new(remember))
            .add_service(health)
            .serve_with_incoming_shutdown(incoming, stopped)
            .await
            .unwrap();
    });
    TestServer { address, peers, _stop: stop.drop_guard() }
}

/// A channel that connects on first use.
pub(crate) fn channel(url: String, tls: &ClientTls) -> Channel {
    let options = ConnectOptions::default();
    Endpoint::from_shared(url).unwrap().connect_with_connector_lazy(tls.connector(&options))
}

impl TestServer {
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// One call over a new connection.
    pub(crate) async fn call(&self, tls: &ClientTls) -> Result<(), Status> {
        check(channel(self.url(), tls)).await
    }
}

pub(crate) async fn check(channel: Channel) -> Result<(), Status> {
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.map(drop)
}

/// What is logged on this thread while the guard lives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Log {
    /// Waits until `text` is in it: the other side of a connection may be slower.
    pub(crate) async fn says(&self, text: &str) {
        let said = async {
            while !self.text().contains(text) {
                tokio::task::yield_now().await;
            }
        };
        let deadline = std::time::Duration::from_secs(30);
        let outcome = tokio::time::timeout(deadline, said).await;
        assert!(outcome.is_ok(), "{text} is not in {}", self.text());
    }
}

impl io::Write for &Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = &'a Log;

    fn make_writer(&'a self) -> &'a Log {
        self
    }
}
