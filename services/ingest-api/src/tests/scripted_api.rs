//! A scripted product API.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{StreamExt, stream};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::task::AbortOnDropHandle;

/// One request, as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) start_date: String,
    pub(super) end_date: String,
    pub(super) page: usize,
    pub(super) page_size: usize,
    pub(super) authorization: Option<String>,
    pub(super) user_agent: Option<String>,
    /// How often this page of this day was requested, from 1.
    pub(super) attempt: usize,
}

pub(super) type Script = Box<dyn Fn(&Asked) -> Response + Send + Sync>;

struct Server {
    script: Script,
    requests: watch::Sender<Vec<Asked>>,
}

pub(super) struct ScriptedApi {
    /// The endpoint.
    pub(super) url: String,
    server: Arc<Server>,
    _task: AbortOnDropHandle<()>,
}

impl ScriptedApi {
    pub(super) async fn start(script: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Self {
        let server = Arc::new(Server { script: Box::new(script), requests: watch::Sender::default() });
        let router = Router::new().route("/v1/product-usage", get(answer)).with_state(Arc::clone(&server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/product-usage", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, server, _task: AbortOnDropHandle::new(task) }
    }

    /// A well-behaved server that holds these records, by day, as JSON.
    pub(super) async fn holding(records: &[(&str, &[&str])]) -> Self {
        let book: HashMap<String, Vec<String>> = records
            .iter()
            .map(|(day, records)| ((*day).to_owned(), records.iter().map(ToString::to_string).collect()))
            .collect();
        Self::start(move |asked| {
            let records = book.get(&asked.start_date).map(Vec::as_slice).unwrap_or_default();
            page_of(records, asked)
        })
        .await
    }

    /// The requests so far.
    pub(super) fn requests(&self) -> Vec<Asked> {
        self.server.requests.borrow().clone()
    }

    /// Waits until there were this many requests.
    pub(super) async fn asked(&self, times: usize) {
        let mut requests = self.server.requests.subscribe();
        requests.wait_for(|requests| requests.len() >= times).await.unwrap();
    }

    /// The pages requested so far.
    pub(super) fn pages(&self) -> Vec<usize> {
        self.requests().iter().map(|asked| asked.page).collect()
    }
}

async fn answer(
    State(server): State<Arc<Server>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let mut asked = Asked {
        start_date: query["start_date"].clone(),
        end_date: query["end_date"].clone(),
        page: query["page"].parse().unwrap(),
        page_size: query["page_size"].parse().unwrap(),
        authorization: header(header::AUTHORIZATION),
        user_agent: header(header::USER_AGENT),
        attempt: 1,
    };
    server.requests.send_modify(|requests| {
        let is_same_page = |other: &&Asked| other.start_date == asked.start_date && other.page == asked.page;
        asked.attempt += requests.iter().filter(is_same_page).count();
        requests.push(asked.clone());
    });
    (server.script)(&asked)
}

/// The requested page.
pub(super) fn page_of(records: &[String], asked: &Asked) -> Response {
    let page = records.chunks(asked.page_size).nth(asked.page - 1).unwrap_or_default();
    json(&format!("{{\"data\":[{}]}}", page.join(",")))
}

/// `count` records with distinct identifiers.
pub(super) fn some_records(day: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| record(&format!("c{at:03}"), day, 1, 10)).collect()
}

pub(super) fn record(company_id: &str, day: &str, active_users: i32, events: i64) -> String {
    format!(
        r#"{{"company_id":"{company_id}","date":"{day}","active_users":{active_users},"events":{events}}}"#
    )
}

pub(super) fn json(body: &str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_owned()).into_response()
}

pub(super) fn status(code: u16) -> Response {
    StatusCode::from_u16(code).unwrap().into_response()
}

pub(super) fn throttled(retry_after: &str) -> Response {
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, retry_after.to_owned())]).into_response()
}

/// An answer whose connection breaks halfway.
pub(super) fn cut_off() -> Response {
    let half = Ok(Bytes::from_static(b"{\"data\":[{\"company_id\":"));
    Body::from_stream(stream::iter([half, Err(std::io::Error::other("cut off"))])).into_response()
}

/// An answer that starts and never ends.
pub(super) fn endless() -> Response {
    let half = Ok::<_, std::io::Error>(Bytes::from_static(b"{\"data\":["));
    Body::from_stream(stream::iter([half]).chain(stream::pending())).into_response()
}
