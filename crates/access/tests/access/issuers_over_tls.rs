//! Issuers with an authority of their own, as the API server of a cluster is.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{Router, routing::get, serve::Listener};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
    server::TlsStream,
};
use tonic::Code;

use crate::support::{Folder, READ, Signer, answer, claims, key_set, name, policy_of, refused, with_token};

/// Accepts TLS connections alone.
struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((connection, address)) = self.listener.accept().await else { continue };
            // A client that does not trust us is gone; the next one may.
            if let Ok(stream) = self.acceptor.accept(connection).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// An issuer at a name of this machine, with a certificate of an authority. Its document says
/// that its keys are at `keys`, which may be a path of its own.
pub(crate) async fn start(authority: &Authority, signer: &Signer, host: &str, keys: &str) -> String {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new([host.to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{host}:{}", listener.local_addr().unwrap().port());
    let keys = if keys.starts_with('/') { format!("{url}{keys}") } else { keys.to_owned() };
    let document = json!({"issuer": url, "jwks_uri": keys}).to_string();
    let keys = key_set(&[signer]).to_string();
    let routes = Router::new()
        .route("/.well-known/openid-configuration", get(async || document))
        .route("/keys", get(async || keys));
    let listener = TlsListener { listener, acceptor: TlsAcceptor::from(Arc::new(config)) };
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

#[tokio::test]
async fn an_issuer_proves_itself_by_its_own_authority() {
    let (ours, other) = (authority(), authority());
    let signer = Signer::ed("d");
    let url = start(&ours, &signer, "127.0.0.1", "/keys").await;
    let token = signer.sign(&claims(&url));
    let folder = Folder::new();
    folder.write("ours.crt", &ours.pem());
    folder.write("other.crt", &other.pem());
    for (more, is_trusted) in [("ca_file: ours.crt", true), ("ca_file: other.crt", false), ("", false)] {
        let access = folder.access(&policy_of(&url, more));
        if is_trusted {
            assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
        } else {
            refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
        }
    }
}

#[tokio::test]
async fn a_renewed_authority_is_trusted_after_the_file_has_changed() {
    let (old, new) = (authority(), authority());
    let signer = Signer::ed("d");
    let url = start(&new, &signer, "127.0.0.1", "/keys").await;
    let token = signer.sign(&claims(&url));
    let folder = Folder::new();
    folder.write("ca.crt", &old.pem());
    let access = folder.access(&policy_of(&url, "ca_file: ca.crt"));
    refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
    folder.write("ca.crt", &(old.pem() + &new.pem()));
    assert_eq!(access.reload(), access::Reload::Applied);
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
}
