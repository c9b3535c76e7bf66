//! A small OpenID provider, which does what a test tells it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::{
    Form, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use runtime::Clock as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::support::TestClock;

/// How long its tokens last.
const LIFETIME: i64 = 300;

#[derive(Clone)]
pub(super) struct TestProvider(Arc<Inner>);

struct Inner {
    pub(super) issuer: String,
    clock: TestClock,
    state: Mutex<Told>,
}

struct Told {
    key: Ed25519KeyPair,
    /// The sign-ins that it has let through: code, nonce and challenge.
    codes: HashMap<String, (String, String)>,
    /// What it says instead of the truth.
    lies: Value,
    is_down: bool,
    gives_refresh: bool,
    renewals: u32,
    /// Whether each refresh token is good once.
    rotates: bool,
}

impl Told {
    fn refresh_token(&self) -> String {
        if self.rotates { format!("opaque refresh {}", self.renewals) } else { "opaque refresh".to_owned() }
    }
}

impl TestProvider {
    pub(super) async fn start(clock: TestClock) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let told = Told {
            key: Ed25519KeyPair::generate().unwrap(),
            codes: HashMap::new(),
            lies: json!({}),
            is_down: false,
            gives_refresh: true,
            renewals: 0,
            rotates: false,
        };
        let provider = Self(Arc::new(Inner { issuer, clock, state: Mutex::new(told) }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub(super) fn issuer(&self) -> &str {
        &self.0.issuer
    }

    pub(super) fn lie(&self, lies: Value) {
        self.told(|told| told.lies = lies);
    }

    pub(super) fn set_down(&self, is_down: bool) {
        self.told(|told| told.is_down = is_down);
    }

    pub(super) fn rotate_key(&self) {
        self.told(|told| told.key = Ed25519KeyPair::generate().unwrap());
    }

    pub(super) fn refuse_to_renew(&self) {
        self.told(|told| told.gives_refresh = false);
    }

    pub(super) fn rotate_refresh_tokens(&self) {
        self.told(|told| told.rotates = true);
    }

    pub(super) fn renewals(&self) -> u32 {
        self.told(|told| told.renewals)
    }

    fn told<T>(&self, tell: impl FnOnce(&mut Told) -> T) -> T {
        tell(&mut self.0.state.lock().unwrap())
    }

    /// Signs in whoever is sent to `url`, and returns the path that they are sent back to.
    pub(super) fn sign_in(&self, url: &str) -> String {
        let url = Url::parse(url).unwrap();
        assert_eq!(url.path(), "/authorize");
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", "console"));
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"), "{asked:?}");
        let code = format!("code-{}", self.told(|told| told.codes.len()));
        let sign_in = (asked["nonce"].clone(), asked["code_challenge"].clone());
        self.told(|told| told.codes.insert(code.clone(), sign_in));
        let back = Url::parse(&asked["redirect_uri"]).unwrap();
        format!("{}?code={code}&state={}", back.path(), asked["state"])
    }

    fn signed(&self, nonce: Option<&str>) -> String {
        let now = self.0.clock.now().timestamp();
        let mut claims = json!({
            "iss": self.issuer(), "sub": "ada", "aud": "console", "iat": now, "exp": now + LIFETIME,
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        self.told(|told| {
            for (name, value) in told.lies.as_object().unwrap() {
                claims[name] = value.clone();
            }
            let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed =
                format!("{}.{}", text(&json!({"alg": "EdDSA", "kid": kid(&told.key)})), text(&claims));
            let signature = URL_SAFE_NO_PAD.encode(told.key.sign(signed.as_bytes()));
            format!("{signed}.{signature}")
        })
    }
}

fn kid(key: &Ed25519KeyPair) -> String {
    URL_SAFE_NO_PAD.encode(&key.public_key().as_ref()[..6])
}

async fn discovery(State(provider): State<TestProvider>) -> Response {
    if provider.told(|told| told.is_down) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let at = |path: &str| format!("{}{path}", provider.issuer());
    Json(json!({
        "issuer": provider.issuer(),
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "end_session_endpoint": at("/end"),
        "jwks_uri": at("/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    }))
    .into_response()
}

async fn keys(State(provider): State<TestProvider>) -> Json<Value> {
    let key = provider.told(|told| {
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid(&told.key),
            "x": URL_SAFE_NO_PAD.encode(told.key.public_key().as_ref()),
        })
    });
    Json(json!({"keys": [key]}))
}

async fn token(State(provider): State<TestProvider>, Form(form): Form<HashMap<String, String>>) -> Response {
    let refused = || (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    if provider.told(|told| told.is_down) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let nonce = match form["grant_type"].as_str() {
        "authorization_code" => {
            // Good once.
            let Some((nonce, challenge)) = provider.told(|told| told.codes.remove(&form["code"])) else {
                return refused();
            };
            let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
            if proof != challenge {
                return refused();
            }
            Some(nonce)
        }
        "refresh_token" if provider.told(|told| told.gives_refresh) => {
            if form["refresh_token"] != provider.told(|told| told.refresh_token()) {
                return refused();
            }
            provider.told(|told| told.renewals += 1);
            None
        }
        _ => return refused(),
    };
    let id_token = provider.signed(nonce.as_deref());
    Json(json!({
        "access_token": "opaque access", "token_type": "Bearer", "expires_in": LIFETIME,
        "refresh_token": provider.told(|told| told.refresh_token()), "id_token": id_token,
    }))
    .into_response()
}
