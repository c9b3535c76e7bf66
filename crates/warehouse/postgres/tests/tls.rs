//! TLS to Postgres, on a real server whose certificate an authority of the test has signed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{io::Write as _, net::TcpListener};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sqlx::{Connection as _, PgConnection};
use tempfile::NamedTempFile;
use test_postgres::Cluster;
use warehouse_core::{ActivityReader as _, Error};
use warehouse_postgres::PostgresWarehouse;

/// An authority that signs certificates of servers.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(issuer.pem().as_bytes()).unwrap();
        Self { issuer, file }
    }

    /// A server on this host whose certificate is for `name`.
    fn server(&self, name: &str) -> Cluster {
        self.server_until(name, 4_000)
    }

    /// A server whose certificate expires when `year` begins.
    fn server_until(&self, name: &str, year: i32) -> Cluster {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Cluster::with_tls(&certificate.pem(), &key.serialize_pem()).unwrap()
    }

    /// The parameters that trust this authority.
    fn trusted(&self, mode: &str) -> String {
        format!("sslmode={mode}&sslrootcert={}", self.file.path().display())
    }
}

/// The server's URL with a password, which no error may show.
fn url(server: &Cluster, parameters: &str) -> String {
    let mut url = server.url();
    url.set_password(Some("hunter2")).unwrap();
    url.set_query(Some(parameters));
    url.into()
}

/// A server on a port of this host without TLS.
fn server_without_tls() -> (Cluster, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server =
        Cluster::start(&format!("-c fsync=off -c listen_addresses=127.0.0.1 -c port={port}")).unwrap();
    (server, format!("postgres://postgres:hunter2@localhost:{port}/postgres"))
}

async fn refusal(url: &str) -> String {
    let refused = PostgresWarehouse::open(url).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    let said = refused.to_string();
    assert!(!said.contains("hunter2"), "{said}");
    said
}

async fn works(url: &str) {
    let warehouse = PostgresWarehouse::open(url).await.unwrap();
    assert!(warehouse.freshness().await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_is_believed_whose_certificate_a_trusted_authority_signed() {
    let authority = Authority::new("ours");
    let server = authority.server("localhost");
    for mode in ["verify-full", "verify-ca", "require"] {
        works(&url(&server, &authority.trusted(mode))).await;
    }
    // Whoever only insists on encryption does not look at the certificate.
    works(&url(&server, "sslmode=require")).await;
    let is_encrypted: bool = sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        .fetch_one(
            &mut PgConnection::connect(&url(&server, &authority.trusted("verify-full"))).await.unwrap(),
        )
        .await
        .unwrap();
    assert!(is_encrypted);
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let server = Authority::new("theirs").server("localhost");
    // The last one has the name of the server's authority, and another key.
    for authority in [Authority::new("ours"), Authority::new("theirs")] {
        for mode in ["verify-full", "verify-ca"] {
            let said = refusal(&url(&server, &authority.trusted(mode))).await;
            let expected = "no authority that is trusted here has signed its certificate: name the file of the one \
                            that has in sslrootcert";
            assert!(said.ends_with(expected), "{said}");
        }
    }
    let said = refusal(&url(&server, "sslmode=verify-full")).await;
    assert!(said.contains("in sslrootcert"), "{said}");
}

#[tokio::test]
async fn a_server_of_another_name_is_refused_by_those_who_look_at_names() {
    let authority = Authority::new("ours");
    let server = authority.server("db.example.com");
    let said = refusal(&url(&server, &authority.trusted("verify-full"))).await;
    for words in [
        "its certificate is for another host",
        "db.example.com",
        "localhost",
        "put one of its names in the URL",
    ] {
        assert!(said.contains(words), "{said}");
    }
    works(&url(&server, &authority.trusted("verify-ca"))).await;
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_refused() {
    let authority = Authority::new("ours");
    let server = authority.server_until("localhost", 2020);
    for mode in ["verify-full", "verify-ca"] {
        let said = refusal(&url(&server, &authority.trusted(mode))).await;
        assert!(
            said.ends_with(
                "its certificate has expired: renew it there, and have the server reload it (pg_ctl reload)"
            ),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_by_those_who_insist_on_it() {
    let (_server, url) = server_without_tls();
    let authority = Authority::new("ours");
    for parameters in
        ["sslmode=require".to_owned(), authority.trusted("verify-ca"), authority.trusted("verify-full")]
    {
        let said = refusal(&format!("{url}?{parameters}")).await;
        assert!(said.contains("the server offers no TLS, and sslmode insists on it"), "{said}");
        assert!(said.contains("ssl = on") && said.contains("sslmode=disable"), "{said}");
    }
    works(&url).await;
}
