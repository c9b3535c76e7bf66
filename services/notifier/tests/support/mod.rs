//! A scripted webhook that records what it receives, and a notifier that posts to it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, Uri},
};
use clap::Parser;
use proto::notifier::v1::{
    Alert, ChannelDelivery, DeliveryState, NotifyRequest, notifier_service_client::NotifierServiceClient,
};
use runtime::Channel;
use runtime::Context;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tonic::Status;

/// A request that a webhook received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What a webhook answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }
}

/// A webhook on its own port. Answers 200 once its script is used up.
#[derive(Clone)]
pub(crate) struct Webhook {
    address: String,
    script: Arc<Mutex<VecDeque<Answer>>>,
    received: watch::Sender<Vec<Received>>,
    gate: Arc<Semaphore>,
}

impl Webhook {
    /// A webhook that first gives these answers.
    pub(crate) async fn answering(script: impl IntoIterator<Item = Answer>) -> Self {
        let webhook = Self::closed(script).await;
        webhook.open();
        webhook
    }

    /// A webhook that answers nothing until it is opened.
    pub(crate) async fn closed(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhook = Self {
            address: listener.local_addr().unwrap().to_string(),
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            received: watch::Sender::default(),
            gate: Arc::new(Semaphore::new(0)),
        };
        let router = Router::new().fallback(answer).with_state(webhook.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        webhook
    }

    /// Lets the webhook answer.
    pub(crate) fn open(&self) {
        self.gate.add_permits(1_000);
    }

    /// The flag that sends alerts here. Its path is the secret.
    pub(crate) fn flag(&self, option: &str) -> String {
        format!("--{option}=http://{}{SECRET_PATH}", self.address)
    }

    /// The URL of another path on this port.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests received so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.borrow().clone()
    }

    /// Waits until `count` requests have arrived.
    pub(crate) async fn wait_for(&self, count: usize) {
        self.received.subscribe().wait_for(|received| received.len() >= count).await.unwrap();
    }
}

/// The part of a webhook's URL that must never show up.
pub(crate) const SECRET_PATH: &str = "/services/T0SECRET/B0SECRET/tokensecret";

async fn answer(State(webhook): State<Webhook>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    webhook.received.send_modify(|all| all.push(Received { path: uri.path().to_owned(), headers, body }));
    webhook.gate.acquire().await.unwrap().forget();
    let answer = webhook.script.lock().unwrap().pop_front().unwrap_or_else(|| Answer::status(200));
    let response = Response::builder().status(answer.status);
    let response =
        answer.headers.into_iter().fold(response, |response, (name, value)| response.header(name, value));
    response.body(Body::from(answer.body)).unwrap()
}

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    options: notifier::Options,
}

/// A notifier over its own warehouse.
pub(crate) struct Notifier {
    pub(crate) client: NotifierServiceClient<Channel>,
    pub(crate) context: Context,
    _folder: TempDir,
}

impl Notifier {
    /// A notifier with these flags. Webhooks of tests are on this machine.
    pub(crate) async fn with(flags: &[String]) -> Self {
        let allowed = ["--webhook-allow-private".to_owned()];
        Self::without_private_addresses(&[&allowed[..], flags].concat()).await
    }

    /// A notifier with just these flags.
    pub(crate) async fn without_private_addresses(flags: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/warehouse.sqlite", folder.path().display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let program = ["notifier".to_owned()];
        let options = CommandLine::try_parse_from(program.iter().chain(flags)).unwrap().options;
        let context = Context::new();
        let mut service = notifier::assemble(&options, warehouse, &context).unwrap();
        let routes = service.grpc.remove(0).routes;
        let (channel, server) =
            runtime::channel::in_process("notifier", routes, context.shutdown.clone()).unwrap();
        tokio::spawn(server.run);
        Self { client: NotifierServiceClient::new(channel), context, _folder: folder }
    }

    /// Sends the alert and returns its outcome on each channel.
    pub(crate) async fn notify(&self, alert: Alert) -> Vec<ChannelDelivery> {
        self.try_notify(alert).await.unwrap()
    }

    pub(crate) async fn try_notify(&self, alert: Alert) -> Result<Vec<ChannelDelivery>, Status> {
        let response = self.client.clone().notify(NotifyRequest { alert: Some(alert) }).await?;
        Ok(response.into_inner().deliveries)
    }
}

/// An alert with this key.
pub(crate) fn alert(alert_key: &str) -> Alert {
    Alert {
        alert_key: alert_key.to_owned(),
        pipeline: "pl_company_activity_daily".to_owned(),
        stage: "act_copy_crm_csv".to_owned(),
        error_message: "companies.csv, line 7: the header is missing".to_owned(),
        run_id: "01990000-0000-7000-8000-000000000000".to_owned(),
        business_date: "2026-02-13".to_owned(),
        attempt: 3,
        error_code: "DATA_LOSS".to_owned(),
        ..Alert::default()
    }
}

/// The states of deliveries, in order.
pub(crate) fn states(deliveries: &[ChannelDelivery]) -> Vec<DeliveryState> {
    deliveries.iter().map(ChannelDelivery::state).collect()
}
