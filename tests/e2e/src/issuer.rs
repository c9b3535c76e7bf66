//! An issuer of tokens whose keys and mistakes a test chooses.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Context as _, Result};
use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use axum::{Json, Router, extract::State, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::net::TcpListener;

/// Whom the tokens are for.
pub const AUDIENCE: &str = "company-activity";

/// A running issuer on loopback. It ends with the test's runtime.
#[derive(Debug, Clone)]
pub struct Issuer {
    url: String,
    state: Arc<Mutex<Published>>,
}

#[derive(Debug, Default)]
struct Published {
    keys: Vec<Value>,
    asked: Vec<Instant>,
}

impl Issuer {
    /// Starts one that publishes these keys.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start(signers: &[&Signer]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let issuer = Self { url: format!("http://{}", listener.local_addr()?), state: Arc::default() };
        issuer.publish(signers);
        let document = json!({"issuer": issuer.url, "jwks_uri": format!("{}/keys", issuer.url)});
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(async || Json(document)))
            .route("/keys", get(async |State(issuer): State<Self>| issuer.answer()))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(issuer)
    }

    fn answer(&self) -> Json<Value> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked.push(Instant::now());
        Json(json!({"keys": state.keys}))
    }

    /// What its tokens say in `iss`, which is also its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Replaces the published keys.
    pub fn publish(&self, signers: &[&Signer]) {
        let keys = signers.iter().map(|signer| signer.public_key()).collect();
        self.state.lock().unwrap_or_else(PoisonError::into_inner).keys = keys;
    }

    /// When its keys were asked for.
    #[must_use]
    pub fn asked(&self) -> Vec<Instant> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }

    /// A policy in which whoever has a token of it holds every role.
    #[must_use]
    pub fn policy(&self) -> String {
        format!(
            "issuers:\n  - {{name: people, issuer: \"{}\", audiences: [{AUDIENCE}]}}\n\
             grants:\n  - {{prefix: \"people:\", roles: [reader, operator, stage, alerts]}}\n",
            self.url
        )
    }

    /// The claims of a good token, issued a minute ago.
    #[must_use]
    pub fn claims(&self, subject: &str) -> Value {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        json!({"iss": self.url, "sub": subject, "aud": AUDIENCE, "iat": now - 60, "exp": now + 3600})
    }
}

/// A key that signs tokens, by ES256, under a name.
#[derive(Debug)]
pub struct Signer {
    id: String,
    key: EcdsaKeyPair,
}

impl Signer {
    /// A new key.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn new(id: &str) -> Result<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("no key")?;
        Ok(Self { id: id.to_owned(), key })
    }

    /// The public key as a JSON Web Key.
    #[must_use]
    pub fn public_key(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "alg": "ES256",
               "x": text(&point[1..33]), "y": text(&point[33..])})
    }

    /// A token.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let message = message(&json!({"alg": "ES256", "typ": "JWT", "kid": self.id}), claims);
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).context("no signature")?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// A token for whoever takes the public key for a shared secret.
    #[must_use]
    pub fn forge_by_public_key(&self, claims: &Value) -> String {
        let message = message(&json!({"alg": "HS256", "typ": "JWT", "kid": self.id}), claims);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.key.public_key().as_ref());
        let signature = hmac::sign(&secret, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token for whoever needs no signature.
    #[must_use]
    pub fn leave_unsigned(&self, claims: &Value) -> String {
        format!("{}.", message(&json!({"alg": "none", "typ": "JWT", "kid": self.id}), claims))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}
