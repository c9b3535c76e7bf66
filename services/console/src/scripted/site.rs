//! A browser at the site.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header},
};
use chrono::{DateTime, Utc};
use prost::Message;
use runtime::{Context, Served, StoppedClock};
use tower::ServiceExt;

use super::Script;
use crate::{config::Options, site::assemble};

/// Where a browser on this machine finds the console.
const HOST: &str = "localhost:50080";

/// The site in front of scripted services, with what a browser keeps of it.
pub(crate) struct Site {
    router: Router,
    script: Script,
    /// What the site runs with; its shutdown ends it.
    pub(crate) context: Context,
    cookie: Mutex<Option<HeaderValue>>,
    /// What the forms of the newest page with one send back.
    form_token: Mutex<Option<String>>,
}

/// What a browser receives.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// As far as it came; and whether all of it did.
    pub(crate) text: String,
    pub(crate) is_whole: bool,
}

impl Page {
    /// Where the browser is sent; empty if nowhere.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }
}

impl Site {
    pub(super) fn new(script: Script, now: DateTime<Utc>) -> Self {
        let mut context = Context::new();
        context.clock = Arc::new(StoppedClock(now));
        let served = Served {
            address: ([127, 0, 0, 1], 50_080).into(),
            is_encrypted: false,
            allow_unauthenticated: false,
        };
        let router = assemble(&Options::default(), script.serve(), &context, served).unwrap();
        Self { router, script, context, cookie: Mutex::default(), form_token: Mutex::default() }
    }

    /// Opens an address.
    pub(crate) async fn get(&self, address: &str) -> Page {
        self.read(self.open(address).await).await
    }

    /// Follows a link of a page from elsewhere: `cross-site` or `same-site`.
    pub(crate) async fn follow_from(&self, from: &'static str, address: &str) -> Page {
        let mut request = self.request(Method::GET, address, Body::empty());
        for (name, value) in
            [("sec-fetch-site", from), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]
        {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        self.read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// Opens an address, and leaves it to the test to read the answer.
    pub(crate) async fn open(&self, address: &str) -> Response<Body> {
        self.send(Method::GET, address, Body::empty()).await
    }

    /// Sends a form as a page of the site does: with what the site has put into it.
    pub(crate) async fn post(&self, address: &str, form: &str) -> Page {
        if self.form_token.lock().unwrap().is_none() {
            self.get("/runs").await;
        }
        let form_token = self.form_token.lock().unwrap().clone().unwrap();
        self.submit(address, &form_token, form).await
    }

    /// Sends a form as a page of another site might.
    pub(crate) async fn forge(&self, address: &str, form: &str) -> Page {
        self.submit(address, "guessed", form).await
    }

    /// What a method was asked, in order.
    pub(crate) fn asked<M: Message + Default>(&self, method: &str) -> Vec<M> {
        self.script.asked(method)
    }

    async fn submit(&self, address: &str, form_token: &str, form: &str) -> Page {
        let body = Body::from(format!("form_token={form_token}&{form}"));
        self.read(self.send(Method::POST, address, body).await).await
    }

    async fn send(&self, method: Method, address: &str, body: Body) -> Response<Body> {
        self.router.clone().oneshot(self.request(method, address, body)).await.unwrap()
    }

    fn request(&self, method: Method, address: &str, body: Body) -> Request<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(address)
            .header(header::HOST, HOST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header(header::ORIGIN, format!("http://{HOST}"));
        if let Some(cookie) = self.cookie.lock().unwrap().clone() {
            request = request.header(header::COOKIE, cookie);
        }
        request.body(body).unwrap()
    }

    async fn read(&self, answer: Response<Body>) -> Page {
        let (head, body) = answer.into_parts();
        if let Some(cookie) = head.headers.get(header::SET_COOKIE) {
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            *self.cookie.lock().unwrap() = Some(pair.parse().unwrap());
        }
        let whole = to_bytes(body, usize::MAX).await;
        let is_whole = whole.is_ok();
        let text = String::from_utf8(whole.unwrap_or_default().to_vec()).unwrap();
        if let Some((_, rest)) = text.split_once(r#"name="form_token" value=""#) {
            let (form_token, _) = rest.split_once('"').unwrap();
            *self.form_token.lock().unwrap() = Some(form_token.to_owned());
        }
        Page { status: head.status, headers: head.headers, text, is_whole }
    }
}
