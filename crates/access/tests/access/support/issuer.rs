//! An issuer of tokens on loopback.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Response, StatusCode, header},
    routing::get,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Signer, key_set};

/// How the issuer answers.
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    /// As it should.
    Good,
    /// With an error.
    Failing,
    /// Elsewhere.
    Redirecting,
    /// With more than anybody wants to read.
    Flooding,
    /// With a document of another issuer.
    Impersonating,
    /// With something else than JSON.
    Babbling,
}

/// A running issuer.
#[derive(Clone)]
pub(crate) struct IssuerServer {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    keys: Mutex<Value>,
    behaviour: Mutex<Behaviour>,
    /// The token that the issuer insists on.
    password: Mutex<Option<String>>,
    discoveries: AtomicUsize,
    key_requests: AtomicUsize,
}

impl IssuerServer {
    pub(crate) async fn start(signers: &[&Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            keys: Mutex::new(key_set(signers)),
            behaviour: Mutex::new(Behaviour::Good),
            password: Mutex::new(None),
            discoveries: AtomicUsize::new(0),
            key_requests: AtomicUsize::new(0),
        });
        let server = Self { url, inner };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/elsewhere", get(elsewhere))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        server
    }

    /// Replaces the published keys.
    pub(crate) fn publish(&self, signers: &[&Signer]) {
        *self.inner.keys.lock().unwrap() = key_set(signers);
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.inner.behaviour.lock().unwrap() = behaviour;
    }

    pub(crate) fn demand(&self, token: &str) {
        *self.inner.password.lock().unwrap() = Some(format!("Bearer {token}"));
    }

    /// How often the keys were asked for.
    pub(crate) fn key_requests(&self) -> usize {
        self.inner.key_requests.load(Ordering::SeqCst)
    }

    /// How often the discovery document was asked for.
    pub(crate) fn discoveries(&self) -> usize {
        self.inner.discoveries.load(Ordering::SeqCst)
    }

    fn answer(&self, headers: &HeaderMap, good: &Value) -> Response<Body> {
        let password = self.inner.password.lock().unwrap().clone();
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if password.is_some() && password.as_deref() != sent {
            return with_status(StatusCode::FORBIDDEN, Body::empty());
        }
        let behaviour = *self.inner.behaviour.lock().unwrap();
        match behaviour {
            Behaviour::Good | Behaviour::Impersonating => {
                with_status(StatusCode::OK, Body::from(good.to_string()))
            }
            Behaviour::Failing => with_status(StatusCode::INTERNAL_SERVER_ERROR, Body::empty()),
            Behaviour::Redirecting => {
                let mut response = with_status(StatusCode::FOUND, Body::empty());
                response.headers_mut().insert(header::LOCATION, "/elsewhere".parse().unwrap());
                response
            }
            Behaviour::Flooding => {
                let mut flood = good.clone();
                flood["padding"] = "x".repeat(1024 * 1024).into();
                with_status(StatusCode::OK, Body::from(flood.to_string()))
            }
            Behaviour::Babbling => with_status(StatusCode::OK, Body::from("<html>")),
        }
    }
}

fn with_status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

async fn discovery(State(server): State<IssuerServer>, headers: HeaderMap) -> Response<Body> {
    server.inner.discoveries.fetch_add(1, Ordering::SeqCst);
    let is_other = matches!(*server.inner.behaviour.lock().unwrap(), Behaviour::Impersonating);
    let issuer = if is_other { "https://other.example.org" } else { server.url.as_str() };
    server.answer(&headers, &json!({"issuer": issuer, "jwks_uri": format!("{}/keys", server.url)}))
}

async fn keys(State(server): State<IssuerServer>, headers: HeaderMap) -> Response<Body> {
    server.inner.key_requests.fetch_add(1, Ordering::SeqCst);
    let keys = server.inner.keys.lock().unwrap().clone();
    server.answer(&headers, &keys)
}

/// Where a redirect leads: whoever follows it gets what it asked for.
async fn elsewhere(State(server): State<IssuerServer>) -> Response<Body> {
    let document = json!({
        "issuer": server.url,
        "jwks_uri": format!("{}/elsewhere", server.url),
        "keys": server.inner.keys.lock().unwrap()["keys"],
    });
    with_status(StatusCode::OK, Body::from(document.to_string()))
}
