//! Where an issuer may be asked for its keys.

use egress::{Destination, Policy, Settings};
use url::{Host, Url};

/// Checks an address at which keys are asked for, as far as its text allows. Connections check
/// what its host resolves to.
pub(crate) fn check_address(url: &Url, allow_private: bool) -> Result<Destination, String> {
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(url)) {
        return Err("keys come by https://, or by http:// from a loopback address, for tests".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("the address has a user, a password or a fragment".to_owned());
    }
    let settings = Settings { private: "allow_private: true for the issuer", http: None };
    let policy = Policy { settings, allow_private, allow_http: false };
    Destination::new(url, policy).map_err(|refusal| refusal.to_string())
}

/// Whether a URL names this machine by its address, which nobody writes by mistake and no DNS
/// can change.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_public_issuer_names_on_this_machine_or_inside_is_refused() {
        for address in ["http://127.0.0.1:9464/metrics", "https://[::1]/", "https://10.0.0.7/"] {
            let url = Url::parse(address).unwrap();
            let refusal = check_address(&url, false).err().unwrap();
            assert!(refusal.ends_with("set allow_private: true for the issuer"), "{refusal}");
            assert!(check_address(&url, true).is_ok(), "{address}");
        }
    }
}
