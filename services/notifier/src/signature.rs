//! Signs requests to the plain webhook.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac, digest::InvalidLength};
use secret::{Hidden, Secret};
use sha2::Sha256;

/// The header that carries the signature.
pub(crate) const HEADER: &str = "x-company-activity-signature";

/// The key of HMAC-SHA256 signatures.
#[derive(Debug, Clone)]
pub(crate) struct SigningKey(Hidden<Hmac<Sha256>>);

impl SigningKey {
    /// Creates a key. HMAC takes any length, so this does not fail in practice.
    pub(crate) fn new(secret: &Secret) -> Result<Self, InvalidLength> {
        Hmac::new_from_slice(secret.expose().as_bytes()).map(Hidden::new).map(Self)
    }

    /// The header's value: the time, and the signature over time and body. The
    /// time is signed too, so that a receiver can reject replays.
    pub(crate) fn sign(&self, body: &[u8], now: DateTime<Utc>) -> String {
        let time = now.timestamp();
        let mut mac = self.0.expose().clone();
        mac.update(format!("{time}.").as_bytes());
        mac.update(body);
        format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_over_time_and_body() {
        let key = SigningKey::new(&"k3y".parse().unwrap()).unwrap();
        let now = DateTime::from_timestamp(1_771_048_987, 0).unwrap();
        // printf '1771048987.{"a":1}' | openssl dgst -sha256 -hmac k3y
        assert_eq!(
            key.sign(br#"{"a":1}"#, now),
            "t=1771048987,v1=bf2677241989d2032dfcdd1f32a3ebc4853c3b3389c00043776dc882191c6f6e"
        );
    }
}
