//! The names in a client certificate.

use crate::{caller::Identity, credential_error::CredentialError};

/// What SPIFFE allows an id to be long, in bytes.
const MAX_SPIFFE_BYTES: usize = 2048;

/// The names of a client certificate that TLS has verified. Whoever accepts the
/// connection puts it into the extensions of its requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The subject alternative names that are URIs.
    pub uris: Vec<String>,
    /// The subject alternative names that are DNS names.
    pub dns_names: Vec<String>,
}

impl PeerCertificate {
    /// The identities in the certificate: its SPIFFE id or else each of its DNS names. A
    /// certificate without any is good for the connection and names nobody.
    pub(crate) fn identities(&self) -> Result<Vec<Identity>, CredentialError> {
        let mut ids = self.uris.iter().filter(|uri| is_spiffe_scheme(uri));
        match (ids.next(), ids.next()) {
            (Some(id), None) if is_spiffe_id(id) => Ok(vec![Identity::named(id.clone())]),
            (Some(_), None) => Err(CredentialError::SpiffeId),
            // An SVID has exactly one, so that nobody has to choose.
            (Some(_), Some(_)) => Err(CredentialError::SeveralSpiffeIds),
            (None, _) => {
                Ok(self.dns_names.iter().filter(|name| is_dns_name(name)).map(|name| dns(name)).collect())
            }
        }
    }
}

fn dns(name: &str) -> Identity {
    Identity::named(format!("dns:{}", name.to_ascii_lowercase()))
}

fn is_spiffe_scheme(uri: &str) -> bool {
    uri.get(..9).is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe://"))
}

/// Whether an id is in the one form that SPIFFE allows, so that a prefix of the policy
/// cannot be outwitted by another spelling (`//`, `..`, `%2F`).
fn is_spiffe_id(id: &str) -> bool {
    let Some(rest) = id.strip_prefix("spiffe://") else { return false };
    let (domain, path) = rest.split_once('/').map_or((rest, None), |(domain, path)| (domain, Some(path)));
    let is_domain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-' | '_');
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(is_path);
    id.len() <= MAX_SPIFFE_BYTES
        && !domain.is_empty()
        && domain.chars().all(is_domain)
        && path.is_none_or(|path| path.split('/').all(is_segment))
}

fn is_dns_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
    !name.is_empty() && name.len() <= 253 && name.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(uris: &[&str], dns_names: &[&str]) -> Result<Vec<String>, CredentialError> {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let certificate = PeerCertificate { uris: owned(uris), dns_names: owned(dns_names) };
        Ok(certificate.identities()?.into_iter().map(|identity| identity.name).collect())
    }

    #[test]
    fn a_spiffe_id_counts_before_dns_names() {
        let id = "spiffe://example.org/ns/a/sa/b";
        assert_eq!(names(&["https://example.org", id], &["a.example.org"]).unwrap(), [id]);
        assert_eq!(names(&[], &["A.example.org", "b"]).unwrap(), ["dns:a.example.org", "dns:b"]);
        assert!(names(&["https://example.org"], &["", "no name"]).unwrap().is_empty());
    }

    #[test]
    fn an_id_in_another_form_is_refused_rather_than_read() {
        let refused = [
            "spiffe://",
            "spiffe:///path",
            "SPIFFE://example.org/a",
            "spiffe://Example.org/a",
            "spiffe://example.org:8443/a",
            "spiffe://example.org/",
            "spiffe://example.org/a//b",
            "spiffe://example.org/a/../b",
            "spiffe://example.org/a%2Fb",
            "spiffe://example.org/a?b",
        ];
        for id in refused {
            assert!(matches!(names(&[id], &["a"]), Err(CredentialError::SpiffeId)), "{id}");
        }
        let two = names(&["spiffe://a/b", "spiffe://a/c"], &[]);
        assert!(matches!(two, Err(CredentialError::SeveralSpiffeIds)));
        assert!(names(&["spiffe://example.org"], &[]).is_ok());
    }
}
