//! Under which address the console is seen, and whether that is its own.

use std::{net::IpAddr, str::FromStr};

use anyhow::ensure;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, header, uri::Authority},
};
use runtime::Served;
use tracing::warn;
use url::{Host, Url};

use super::Door;
use crate::failure::Failure;

/// The address that visitors type, if they are not on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "write https://host or https://host:port, without a path";
        let url = Url::parse(text).map_err(|error| format!("{error}; {expected}"))?;
        let is_bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        match url.scheme() {
            "http" | "https" if url.has_host() && is_bare => Ok(Self(url)),
            _ => Err(expected.to_owned()),
        }
    }
}

impl PublicUrl {
    fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether a request went to it.
    fn is_of(&self, authority: &Authority) -> bool {
        let default = if self.is_encrypted() { 443 } else { 80 };
        let host = self.0.host_str().unwrap_or_default();
        authority.host().eq_ignore_ascii_case(host)
            && authority.port_u16().unwrap_or(default) == self.0.port().unwrap_or(default)
    }
}

/// Checks the address when the console starts.
pub(super) fn check(public_url: Option<&PublicUrl>, served: Served) -> anyhow::Result<()> {
    if let Some(url) = public_url {
        ensure!(
            url.is_encrypted() || url.is_loopback() || served.allow_unauthenticated,
            "--console-public-url {} would send sessions in the clear: let it be https:// (with --tls-cert-file, or \
             behind a proxy that has a certificate). If the services ask nobody who they are, and shall not, accept \
             everybody with --allow-unauthenticated",
            url.0
        );
    } else if !served.address.ip().to_canonical().is_loopback() {
        warn!(
            address = %served.address,
            "the console answers to loopback addresses alone: name the address that visitors type with \
             --console-public-url"
        );
    }
    Ok(())
}

/// The origin of the console's pages, as the visitor's browser sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    is_encrypted: bool,
    authority: String,
    is_loopback: bool,
}

impl Origin {
    /// `https://host`
    pub(super) fn url(&self) -> String {
        format!("{}://{}", if self.is_encrypted { "https" } else { "http" }, self.authority)
    }

    /// Whether nobody on the way reads what is sent.
    pub(super) const fn is_secure(&self) -> bool {
        self.is_encrypted
    }

    pub(super) const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Whether a session may be kept under it.
    pub(super) const fn is_fit_for_sessions(&self) -> bool {
        self.is_encrypted || self.is_loopback
    }

    /// The name of a cookie. No other host, and nobody who can only change what is sent in the
    /// clear, can set one with the prefix.
    pub(super) fn cookie_name(&self, name: &str) -> String {
        if self.is_encrypted { format!("__Host-{name}") } else { name.to_owned() }
    }
}

impl Door {
    /// The origin of a request. Names of other hosts are refused: a page of theirs could resolve
    /// its own name to this machine, and would then be taken for one of ours (DNS rebinding).
    /// A loopback address cannot be resolved to anything else, so its port does not matter,
    /// and a forwarded port may be another one.
    pub(super) fn origin_of(&self, request: &Request) -> Result<Origin, Failure> {
        let authority = authority(request).ok_or_else(|| misdirected("a request without a host"))?;
        let served = self.0.served;
        if let Some(url) = self.0.public_url.as_ref().filter(|url| url.is_of(&authority)) {
            let is_encrypted = url.is_encrypted() || served.is_encrypted;
            return Ok(Origin {
                is_encrypted,
                // As browsers write it: a request may name the port that goes without saying.
                authority: url.authority(),
                is_loopback: url.is_loopback(),
            });
        }
        if is_loopback(authority.host()) {
            let authority = authority.to_string().to_ascii_lowercase();
            return Ok(Origin { is_encrypted: served.is_encrypted, authority, is_loopback: true });
        }
        Err(misdirected(authority.as_str()))
    }
}

fn misdirected(host: &str) -> Failure {
    Failure::Misdirected(format!(
        "This console does not answer to {host:?}. If that is its address, start it with --console-public-url \
         (CONSOLE_PUBLIC_URL) https://{host}; on its own machine it answers to http://localhost."
    ))
}

/// What the request names as its host: one, and nothing but a host and a port.
fn authority(request: &Request) -> Option<Authority> {
    let named = request.uri().authority().cloned();
    let mut headers = request.headers().get_all(header::HOST).iter();
    let header = headers.next().map(|value| value.to_str().ok()?.parse::<Authority>().ok());
    if headers.next().is_some() {
        return None;
    }
    let authority = match (named, header) {
        (Some(named), Some(header)) if header.as_ref() != Some(&named) => return None,
        (Some(named), _) => named,
        (None, header) => header??,
    };
    (!authority.as_str().contains('@')).then_some(authority)
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

/// Refuses what a page of another origin has made the browser send. Programs say neither; they
/// have the form's token to prove that they have read the form.
pub(super) fn check_sender(origin: &Origin, headers: &HeaderMap) -> Result<(), Failure> {
    let says = |name: &str| headers.get(name).map(|value| value.as_bytes().to_owned());
    let is_foreign = says("sec-fetch-site").is_some_and(|site| site != b"same-origin")
        || says("origin").is_some_and(|sender| sender != origin.url().as_bytes());
    if is_foreign {
        return Err(Failure::Forbidden(
            "Another site has sent this form, so nothing was done. If you meant it, open the console and do it there."
                .to_owned(),
        ));
    }
    Ok(())
}

/// Refuses what a page of another site loads as a part of itself: it could make the console
/// work, and the services and the product API behind it. Links lead here from anywhere.
pub(super) fn check_reader(headers: &HeaderMap) -> Result<(), Failure> {
    let says = |name: &str, value: &[u8]| headers.get(name).is_some_and(|said| said.as_bytes() == value);
    let is_foreign = says("sec-fetch-site", b"cross-site") || says("sec-fetch-site", b"same-site");
    let is_link = says("sec-fetch-mode", b"navigate") && says("sec-fetch-dest", b"document");
    if is_foreign && !is_link {
        return Err(Failure::Forbidden(
            "Another site has loaded this as a part of its page. Open the console by itself.".to_owned(),
        ));
    }
    Ok(())
}

/// Whether a page of the console, or the visitor's own hand, has led here. Browsers leave
/// `Sec-Fetch-Site` out over plain HTTP; then the page that led here must be named.
pub(super) fn is_own_link(origin: &Origin, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let referrer = headers.get(header::REFERER).and_then(|referrer| referrer.to_str().ok());
    referrer.and_then(|page| page.strip_prefix(&origin.url())).is_some_and(|path| path.starts_with('/'))
}

/// Whether a proxy says that it passes on what somebody else has sent.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .map(HeaderName::as_str)
        .any(|name| matches!(name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-"))
}
