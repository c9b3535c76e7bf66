//! The rule: which addresses a request may go to, and how.

use std::net::IpAddr;

use url::{Host, Url};

use crate::address::{Reach, block_of};

/// What the operator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// What the settings are called.
    pub settings: Settings,
    /// Private addresses and this machine, also by plain HTTP.
    pub allow_private: bool,
    /// Plain HTTP to the internet.
    pub allow_http: bool,
}

/// How an operator allows more, as messages say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// For private addresses, for example `--webhook-allow-private`.
    pub private: &'static str,
    /// For plain HTTP to the internet; `None` if nothing allows it.
    pub http: Option<&'static str>,
}

/// Why a request may not go somewhere. Names an address but no URL, and no host of one:
/// those of webhooks are secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The address is inside a network.
    #[error("its host is at {address}, {kind} address; if that is right, set {setting}")]
    Private {
        /// The address.
        address: IpAddr,
        /// What it is, with an article.
        kind: &'static str,
        /// What allows it.
        setting: &'static str,
    },
    /// The address is one that no option allows.
    #[error("its host is at {address}, {kind} address, and no option allows those")]
    Never {
        /// The address.
        address: IpAddr,
        /// What it is, with an article.
        kind: &'static str,
    },
    /// The request would cross the internet unencrypted.
    #[error(
        "http:// would send everything over the internet unencrypted; use https://{}{}",
        .http.map(|setting| format!(", or set {setting}")).unwrap_or_default(),
        .private.map(|setting| format!(", or {setting} if its host is in a private network")).unwrap_or_default()
    )]
    Unencrypted {
        /// What allows it, if anything does.
        http: Option<&'static str>,
        /// What allows private addresses, if that could be what is missing.
        private: Option<&'static str>,
    },
}

impl Policy {
    /// Checks what the text of a URL shows: its scheme, and its host if that is an
    /// address. An address never reaches a resolver.
    pub(crate) fn check_url(self, url: &Url) -> Result<(), Refusal> {
        let is_encrypted = is_encrypted(url);
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into(), is_encrypted),
            Some(Host::Ipv6(address)) => self.check(address.into(), is_encrypted),
            // By plain HTTP a name must turn out to be inside, if nothing else is allowed.
            Some(Host::Domain(_)) | None if is_encrypted || self.allow_http || self.allow_private => Ok(()),
            Some(Host::Domain(_)) | None => {
                let Settings { private, http } = self.settings;
                Err(Refusal::Unencrypted { http, private: Some(private) })
            }
        }
    }

    /// Checks one address.
    pub(crate) fn check(self, address: IpAddr, is_encrypted: bool) -> Result<(), Refusal> {
        let Settings { private: setting, http } = self.settings;
        match block_of(address) {
            None if is_encrypted || self.allow_http => Ok(()),
            None => Err(Refusal::Unencrypted { http, private: None }),
            Some(block) => match block.reach {
                Reach::Private if self.allow_private => Ok(()),
                Reach::Private => Err(Refusal::Private { address, kind: block.kind, setting }),
                Reach::Never => Err(Refusal::Never { address, kind: block.kind }),
            },
        }
    }
}

pub(crate) fn is_encrypted(url: &Url) -> bool {
    url.scheme() == "https"
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings =
        Settings { private: "--webhook-allow-private", http: Some("--webhook-allow-http") };
    const STRICT: Policy = Policy { settings: SETTINGS, allow_private: false, allow_http: false };
    const PRIVATE: Policy = Policy { allow_private: true, ..STRICT };
    const HTTP: Policy = Policy { allow_http: true, ..STRICT };

    fn verdict(policy: Policy, url: &str) -> Result<(), String> {
        policy.check_url(&Url::parse(url).unwrap()).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn https_to_the_internet_needs_no_option_and_plain_http_does() {
        for url in ["https://hooks.example/x", "https://8.8.8.8/x", "https://[2606:4700::1]/x"] {
            assert_eq!(verdict(STRICT, url), Ok(()), "{url}");
        }
        for url in ["http://hooks.example/x", "http://8.8.8.8/x"] {
            let refusal = verdict(STRICT, url).unwrap_err();
            assert!(refusal.contains("use https://, or set --webhook-allow-http"), "{refusal}");
            assert_eq!(verdict(HTTP, url), Ok(()), "{url}");
        }
    }

    #[test]
    fn private_addresses_need_an_option_and_then_may_be_plain() {
        for url in ["https://10.0.0.7/x", "http://127.0.0.1:8080/x", "http://[::1]/x", "http://[fd00::1]/x"] {
            let refusal = verdict(STRICT, url).unwrap_err();
            assert!(refusal.ends_with("address; if that is right, set --webhook-allow-private"), "{refusal}");
            assert!(verdict(HTTP, url).is_err(), "{url}");
            assert_eq!(verdict(PRIVATE, url), Ok(()), "{url}");
        }
        let refusal = verdict(PRIVATE, "http://8.8.8.8/x").unwrap_err();
        assert!(refusal.contains("unencrypted"), "{refusal}");
        assert_eq!(verdict(PRIVATE, "http://product-api:8080/x"), Ok(()), "its address decides");
    }

    #[test]
    fn no_setting_is_named_where_none_allows_http() {
        let policy = Policy { settings: Settings { http: None, ..SETTINGS }, ..PRIVATE };
        let refusal = verdict(policy, "http://8.8.8.8/x").unwrap_err();
        assert!(refusal.ends_with("unencrypted; use https://"), "{refusal}");
    }

    #[test]
    fn no_spelling_of_an_address_gets_around_the_check() {
        let lax = Policy { allow_http: true, ..PRIVATE };
        for url in [
            "http://169.254.169.254/latest",
            "http://2852039166/latest",
            "http://0xa9.0xfe.0xa9.0xfe/latest",
            "http://0251.0376.0251.0376/latest",
            "http://169.254.43518/latest",
            "http://169.254.169.254./latest",
            "http://[::ffff:a9fe:a9fe]/latest",
            "http://[fd00:ec2::254]/latest",
            "http://\u{ff11}69.254.169.254/latest",
            "http://0/latest",
        ] {
            let refusal = verdict(lax, url).unwrap_err();
            assert!(refusal.ends_with("and no option allows those"), "{url}: {refusal}");
        }
    }
}
