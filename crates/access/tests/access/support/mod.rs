//! A policy in a folder of its own, a clock that obeys, and calls against both.

mod issuer;
mod signer;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fmt::Display,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use access::{Access, Caller, Environment, PeerCertificate, PolicyError, Role};
use chrono::{DateTime, Utc};
use http::{Request, Response, header::AUTHORIZATION};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::{Code, Status};
use tower::{Layer, ServiceExt, service_fn};

pub(crate) use self::{
    issuer::{Behaviour, IssuerServer},
    signer::{Signer, unsigned},
};

/// When tests begin, in seconds since 1970.
pub(crate) const START: i64 = 1_800_000_000;

pub(crate) const AUDIENCE: &str = "company-activity";

/// A method for readers.
pub(crate) const READ: &str = "/company_activity.activity.v1.CompanyActivityService/GetFreshness";

/// A method for operators.
pub(crate) const TRIGGER: &str = "/company_activity.pipeline.v1.PipelineService/TriggerRun";

/// A clock that tests set, in milliseconds since 1970.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// The second that it shows, as tokens name it.
    pub(crate) fn now(&self) -> i64 {
        self.milliseconds() / 1000
    }

    fn milliseconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.advance_milliseconds(seconds * 1000);
    }

    pub(crate) fn advance_milliseconds(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

/// A folder with a policy, and what is needed to apply it.
pub(crate) struct Folder {
    folder: TempDir,
    pub(crate) clock: TestClock,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let clock = TestClock(Arc::new(AtomicI64::new(START * 1000)));
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    /// Writes a file, and returns where it is.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn environment(&self) -> Environment {
        let clock = self.clock.clone();
        Environment {
            clock: Arc::new(move || DateTime::<Utc>::from_timestamp_millis(clock.milliseconds()).unwrap()),
            http: Arc::new(reqwest::Client::builder),
        }
    }

    /// Writes a policy and applies it.
    pub(crate) fn try_access(&self, policy: &str) -> Result<Access, PolicyError> {
        Access::from_file(self.write("access.yaml", policy), self.environment())
    }

    pub(crate) fn access(&self, policy: &str) -> Access {
        self.try_access(policy).unwrap()
    }

    /// An access with one issuer, `people`, whose keys come from a server; everybody whom it
    /// knows may read.
    pub(crate) fn access_by(&self, issuer: &IssuerServer) -> Access {
        self.access(&policy_of(&issuer.url, ""))
    }

    /// An access with one issuer, `people`, whose keys are in a file.
    pub(crate) fn access_by_keys(&self, signers: &[&Signer]) -> Access {
        self.write("jwks.json", &key_set(signers).to_string());
        self.access(&policy_of(ISSUER, "jwks_file: jwks.json"))
    }
}

/// The issuer of tokens whose keys are in a file.
pub(crate) const ISSUER: &str = "https://login.example.org";

pub(crate) fn policy_of(issuer: &str, more: &str) -> String {
    format!(
        "issuers:\n  - name: people\n    issuer: {issuer}\n    audiences: [{AUDIENCE}]\n    {more}\n\
         grants:\n  - {{prefix: \"people:\", roles: [reader]}}\n"
    )
}

pub(crate) fn key_set(signers: &[&Signer]) -> Value {
    json!({"keys": signers.iter().map(|signer| signer.public_key()).collect::<Vec<_>>()})
}

/// The claims of a good token.
pub(crate) fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer,
        "sub": "alice",
        "aud": AUDIENCE,
        "iat": START - 60,
        "nbf": START - 60,
        "exp": START + 3600,
    })
}

/// The claims of a good token with one that differs; `null` leaves it out.
pub(crate) fn claims_with(claim: &str, value: Value) -> Value {
    let mut claims = claims(ISSUER);
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(claim)
    } else {
        members.insert(claim.to_owned(), value)
    };
    claims
}

/// A call without a credential.
pub(crate) fn call(path: &str) -> Request<()> {
    Request::builder().uri(path).body(()).unwrap()
}

pub(crate) fn with_token(path: &str, token: impl Display) -> Request<()> {
    let mut call = call(path);
    call.headers_mut().insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    call
}

pub(crate) fn with_certificate(mut call: Request<()>, uris: &[&str], dns_names: &[&str]) -> Request<()> {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let certificate = PeerCertificate { uris: owned(uris), dns_names: owned(dns_names) };
    call.extensions_mut().insert(certificate);
    call
}

/// Makes a call; a server behind the layer answers with the caller that it sees.
pub(crate) async fn answer(access: &Access, call: Request<()>) -> Result<Option<Caller>, Status> {
    let server = service_fn(async |request: Request<()>| {
        assert!(!request.headers().contains_key(AUTHORIZATION), "the token goes no further");
        Ok::<_, Infallible>(Response::new(request.extensions().get::<Caller>().cloned()))
    });
    let response = access.clone().layer().layer(server).oneshot(call).await.unwrap();
    match Status::from_header_map(response.headers()) {
        Some(status) => Err(status),
        None => Ok(response.into_body()),
    }
}

/// The name of an admitted caller.
pub(crate) async fn name(access: &Access, call: Request<()>) -> String {
    answer(access, call).await.unwrap().unwrap().name().to_owned()
}

/// The roles of an admitted caller.
pub(crate) async fn roles(access: &Access, call: Request<()>) -> BTreeSet<Role> {
    answer(access, call).await.unwrap().unwrap().roles().collect()
}

/// What a refused caller sees.
#[track_caller]
pub(crate) fn refused(answer: Result<Option<Caller>, Status>, code: Code) -> String {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{}", status.message());
    status.message().to_owned()
}
