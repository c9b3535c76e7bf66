//! Services with a policy, a console before them, and browsers.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
};

use access::{Access, Environment};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
    response::Html,
    routing::{get, post},
};
use chrono::{DateTime, TimeDelta, Utc};
use runtime::{Clock, Served};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::{Status, service::Routes};
use tower::ServiceExt as _;

use crate::{
    backend::Backend,
    backfills::Backfills,
    config::Options,
    door::{Door, Operator, before},
    failure::Failure,
    live::Hub,
    pages,
    site::Console,
    visitor::Visitor,
};

/// May read, and may operate.
pub(super) const READER: char = 'a';
pub(super) const OPERATOR: char = 'b';

pub(super) fn token(digit: char) -> String {
    format!("activity_{}", digit.to_string().repeat(64))
}

/// A clock that a test sets.
#[derive(Clone)]
pub(super) struct TestClock(Arc<Mutex<DateTime<Utc>>>);

impl TestClock {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new("2026-02-12T08:00:00Z".parse().unwrap())))
    }

    pub(super) fn advance(&self, time: TimeDelta) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// How a console is served that nobody but its machine reaches.
pub(super) fn on_loopback() -> Served {
    Served { address: "127.0.0.1:50080".parse().unwrap(), is_encrypted: false, allow_unauthenticated: false }
}

/// How one is served that others reach.
pub(super) fn for_all() -> Served {
    Served { address: "0.0.0.0:50080".parse().unwrap(), ..on_loopback() }
}

pub(super) fn with_public_url(url: &str) -> Options {
    Options { public_url: Some(url.parse().unwrap()), ..Options::default() }
}

/// A console before services.
pub(super) struct House {
    router: Router,
    access: Access,
    folder: TempDir,
    pub(super) clock: TestClock,
    _stop: tokio_util::sync::DropGuard,
}

const GRANTS: &str = "static_tokens_file: tokens\n\
    grants:\n\
    \x20 - {identity: \"token:rita\", roles: [reader]}\n\
    \x20 - {identity: \"token:olga\", roles: [reader, operator]}\n";

impl House {
    /// Services that ask who calls.
    pub(super) fn asking(options: &Options, served: Served) -> Self {
        Self::with_policy(options, served, TestClock::new(), GRANTS)
    }

    pub(super) fn with_policy(options: &Options, served: Served, clock: TestClock, policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let line = |digit, name: &str| {
            let hash: String =
                Sha256::digest(token(digit)).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hash}  {name}\n")
        };
        fs::write(folder.path().join("tokens"), line(READER, "rita") + &line(OPERATOR, "olga")).unwrap();
        fs::write(folder.path().join("access.yaml"), policy).unwrap();
        let now = clock.clone();
        let environment =
            Environment { clock: Arc::new(move || now.now()), http: Arc::new(reqwest::Client::builder) };
        let access = Access::from_file(folder.path().join("access.yaml"), environment).unwrap();
        Self::over(options, served, clock, access, folder).unwrap()
    }

    /// Services that ask nobody.
    pub(super) fn open(options: &Options, served: Served) -> anyhow::Result<Self> {
        Self::over(options, served, TestClock::new(), Access::open(), tempfile::tempdir()?)
    }

    fn over(
        options: &Options,
        served: Served,
        clock: TestClock,
        access: Access,
        folder: TempDir,
    ) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let (channel, server) =
            runtime::channel::in_process_asking("test", Routes::default(), access.clone(), stop.clone())?;
        tokio::spawn(server.run);
        let backend = Backend { coordinator: channel.clone(), activity: channel };
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let door = Door::new(options, backend, shared.clone(), served)?;
        let console = Console::new(door, shared, stop.clone());
        let pages = Router::new()
            .route("/", get(show))
            .route("/runs", get(show))
            .route("/runs", post(act))
            .route("/unknown-visitor", get(async || Failure::from(Status::unauthenticated("who is that?"))))
            .route(
                "/denied",
                get(async || Failure::from(Status::permission_denied("that takes the role x"))),
            );
        let router = before(pages, &console).with_state(console);
        Ok(Self { router, access, folder, clock, _stop: stop.drop_guard() })
    }

    /// Changes the policy.
    pub(super) fn grant(&self, policy: &str) {
        fs::write(self.folder.path().join("access.yaml"), policy).unwrap();
        assert_eq!(self.access.reload(), access::Reload::Applied);
    }

    pub(super) fn browser(&self) -> Browser {
        self.browser_at("localhost:50080")
    }

    pub(super) fn browser_at(&self, host: &str) -> Browser {
        Browser { router: self.router.clone(), host: host.to_owned(), cookies: BTreeMap::new() }
    }
}

/// A page that says whom it has seen, with a form.
async fn show(visitor: Visitor) -> Html<String> {
    let Visitor { name, is_operator, form_token, .. } = visitor;
    Html(format!("{name} operator={is_operator} <input name=\"form_token\" value=\"{form_token}\">"))
}

#[derive(Deserialize)]
struct Act {
    what: String,
}

async fn act(Operator(visitor, act): Operator<Act>) -> String {
    format!("{} did {}", visitor.name, act.what)
}

/// A browser: it keeps cookies, and follows nothing by itself.
pub(super) struct Browser {
    router: Router,
    pub(super) host: String,
    pub(super) cookies: BTreeMap<String, String>,
}

/// What a browser was answered.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Page {
    pub(super) fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// The token of the page's form.
    pub(super) fn form_token(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"form_token\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    pub(super) fn set_cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter();
        cookies.map(|value| value.to_str().unwrap()).find(|cookie| cookie.starts_with(&format!("{name}=")))
    }
}

pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl Browser {
    pub(super) async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// Sends a form as a page of the console does.
    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let origin = format!("http://{}", self.host);
        let sender = [kind, ("origin", &origin), ("sec-fetch-site", "same-origin")];
        self.send(Method::POST, path, &sender, encoded(fields)).await
    }

    pub(super) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Page {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        if !self.cookies.is_empty() {
            let cookies: Vec<_> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Page { status: parts.status, headers: parts.headers, text }
    }

    /// Signs in with a token, and returns the answer.
    pub(super) async fn sign_in(&mut self, token: &str, return_to: &str) -> Page {
        let form = self.get("/sign-in").await.form_token();
        let fields = [("form_token", form.as_str()), ("token", token), ("return_to", return_to)];
        self.post("/sign-in/token", &fields).await
    }
}
