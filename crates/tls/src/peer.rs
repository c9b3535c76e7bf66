//! The names in a peer's certificate.

use rustls::pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

/// The subject alternative names of a certificate by which a peer can be known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerNames {
    /// URIs, such as `spiffe://cluster.local/ns/company-activity/sa/coordinator`.
    pub uris: Vec<String>,
    /// DNS names, as they are written; one may begin with `*.`.
    pub dns_names: Vec<String>,
}

/// The names of a verified chain's first certificate, whose owner is the peer. Empty if
/// there is none, or it cannot be parsed: then nothing is known about the peer.
pub fn peer_names(chain: &[CertificateDer<'_>]) -> PeerNames {
    chain.first().and_then(parse).unwrap_or_default()
}

fn parse(certificate: &CertificateDer<'_>) -> Option<PeerNames> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let extension = certificate.subject_alternative_name().ok()??;
    let mut names = PeerNames::default();
    for name in &extension.value.general_names {
        match name {
            GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
            GeneralName::DNSName(name) => names.dns_names.push((*name).to_owned()),
            _ => {}
        }
    }
    Some(names)
}
