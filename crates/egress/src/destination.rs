//! A configured URL that requests may go to.

use std::sync::Arc;

use reqwest::{Client, ClientBuilder, dns::Resolve, redirect};
use url::Url;

use crate::{
    policy::{Policy, Refusal, is_encrypted},
    resolver::{Filtered, System},
};

/// A configured URL that requests may go to, checked as far as its text
/// allows. Holds no part of the URL but its scheme.
#[derive(Debug, Clone, Copy)]
pub struct Destination {
    policy: Policy,
    is_encrypted: bool,
}

impl Destination {
    /// Checks a URL.
    ///
    /// # Errors
    /// If its scheme, or its host's address, is not allowed.
    pub fn new(url: &Url, policy: Policy) -> Result<Self, Refusal> {
        policy.check_url(url)?;
        Ok(Self { policy, is_encrypted: is_encrypted(url) })
    }

    /// A client for requests to this URL alone: its host's addresses are checked again by
    /// each connection. It follows no redirects, which could carry a token or an alert to
    /// another host, and ignores proxies from the environment, which could read them.
    pub fn client(self) -> ClientBuilder {
        self.guard(Client::builder())
    }

    /// The same on a client that somebody else has begun.
    pub fn guard(self, client: ClientBuilder) -> ClientBuilder {
        self.guard_with(client, Arc::new(System))
    }

    fn guard_with(self, client: ClientBuilder, names: Arc<dyn Resolve>) -> ClientBuilder {
        let resolver = Filtered { names, policy: self.policy, is_encrypted: self.is_encrypted };
        client.dns_resolver(Arc::new(resolver)).redirect(redirect::Policy::none()).referer(false).no_proxy()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        net::{IpAddr, SocketAddr},
        sync::Mutex,
    };

    use axum::{Router, http::StatusCode, response::Redirect, routing::get};
    use reqwest::dns::{Addrs, Name, Resolving};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{policy::Settings, refusal_in};

    const SETTINGS: Settings =
        Settings { private: "--webhook-allow-private", http: Some("--webhook-allow-http") };
    const STRICT: Policy = Policy { settings: SETTINGS, allow_private: false, allow_http: true };
    const PRIVATE: Policy = Policy { settings: SETTINGS, allow_private: true, allow_http: false };

    /// Answers each question with the next list of addresses.
    struct Rebinding(Mutex<VecDeque<Vec<IpAddr>>>);

    impl Rebinding {
        fn to(answers: &[&[&str]]) -> Arc<Self> {
            let answers = answers.iter().map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect());
            Arc::new(Self(Mutex::new(answers.collect())))
        }
    }

    impl Resolve for Rebinding {
        fn resolve(&self, _: Name) -> Resolving {
            let addresses = self.0.lock().unwrap().pop_front().unwrap();
            let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Box::pin(async { Ok(Box::new(addresses) as Addrs) })
        }
    }

    /// A server on this machine; connections are not kept.
    async fn server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new()
            .route("/", get(|| async { ([("connection", "close")], "hello") }))
            .route("/away", get(|| async { Redirect::temporary("/") }));
        tokio::spawn(async { axum::serve(listener, router).await });
        port
    }

    fn client(url: &Url, policy: Policy, names: Arc<Rebinding>) -> Client {
        Destination::new(url, policy).unwrap().guard_with(Client::builder(), names).build().unwrap()
    }

    #[tokio::test]
    async fn a_name_is_checked_again_by_every_connection() {
        let url = Url::parse(&format!("http://api.internal:{}/", server().await)).unwrap();
        let names = Rebinding::to(&[&["127.0.0.1"], &["169.254.169.254"]]);
        let client = client(&url, PRIVATE, names);
        assert_eq!(client.get(url.clone()).send().await.unwrap().status(), StatusCode::OK);
        let error = client.get(url).send().await.unwrap_err();
        let refusal = refusal_in(&error).unwrap();
        assert_eq!(
            refusal.to_string(),
            "its host is at 169.254.169.254, a link-local address, and no option allows those"
        );
    }

    #[tokio::test]
    async fn only_the_admitted_addresses_of_a_name_are_tried() {
        let url = Url::parse(&format!("http://api.internal:{}/", server().await)).unwrap();
        let names = Rebinding::to(&[&["fd00:ec2::254", "0.0.0.0", "127.0.0.1"]]);
        let answer = client(&url, PRIVATE, names).get(url).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "hello");
    }

    #[tokio::test]
    async fn a_name_of_a_private_address_is_refused_with_the_option_that_allows_it() {
        let url = Url::parse(&format!("http://hooks.example:{}/s3cret", server().await)).unwrap();
        let error = client(&url, STRICT, Rebinding::to(&[&["127.0.0.1"]])).get(url).send().await.unwrap_err();
        let refusal = refusal_in(&error).unwrap().to_string();
        assert_eq!(
            refusal,
            "its host is at 127.0.0.1, a loopback address; if that is right, set --webhook-allow-private"
        );
    }

    #[tokio::test]
    async fn the_systems_names_are_filtered_too() {
        let url = Url::parse(&format!("http://localhost:{}/", server().await)).unwrap();
        let refused = Destination::new(&url, STRICT).unwrap().client().build().unwrap();
        assert!(refusal_in(&refused.get(url.clone()).send().await.unwrap_err()).is_some());
        let allowed = Destination::new(&url, PRIVATE).unwrap().client().build().unwrap();
        assert_eq!(allowed.get(url).send().await.unwrap().status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn plain_http_that_leaves_private_networks_is_refused_when_it_would() {
        let url = Url::parse("http://api.internal/").unwrap();
        let error = client(&url, PRIVATE, Rebinding::to(&[&["8.8.8.8"]])).get(url).send().await.unwrap_err();
        let refusal = refusal_in(&error).unwrap().to_string();
        assert!(refusal.ends_with("use https://, or set --webhook-allow-http"), "{refusal}");
    }

    #[tokio::test]
    async fn redirects_are_answers() {
        let url = Url::parse(&format!("http://127.0.0.1:{}/away", server().await)).unwrap();
        let client = Destination::new(&url, PRIVATE).unwrap().client().build().unwrap();
        assert_eq!(client.get(url).send().await.unwrap().status(), StatusCode::TEMPORARY_REDIRECT);
    }
}
