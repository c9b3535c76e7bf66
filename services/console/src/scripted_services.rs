//! Services that answer what a test says, behind the whole site.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context as TaskContext, Poll},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header},
};
use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use http_body::Frame;
use prost::Message;
use proto::access::v1::{GetCallerResponse, Role};
use runtime::{Context, Served, StoppedClock, channel::in_process};
use tonic::{Code, Status, service::Routes};
use tower::ServiceExt;

use crate::{backend::Backend, config::Options, site};

/// Where the site is served.
const HOST: &str = "127.0.0.1:8080";

/// What a method answers: messages, then a status.
#[derive(Debug, Clone)]
struct Reply {
    messages: Vec<Vec<u8>>,
    status: Status,
}

/// What each method answers, by its name. Of several answers each is given once, the last
/// one for ever.
#[derive(Debug, Default)]
pub(crate) struct Script {
    replies: HashMap<&'static str, VecDeque<Reply>>,
    asked: Vec<(String, Bytes)>,
}

impl Script {
    /// Services that ask nobody who they are, and know nothing else.
    pub(crate) fn new() -> Self {
        let roles = [Role::Reader, Role::Operator].map(i32::from).to_vec();
        let caller = GetCallerResponse { name: "anonymous".into(), roles, is_anonymous: true };
        Self::default().answers("GetCaller", &caller)
    }

    /// Services to which a visitor is a reader, and no more.
    pub(crate) fn for_readers(mut self) -> Self {
        self.replies.remove("GetCaller");
        let roles = vec![Role::Reader.into()];
        self.answers("GetCaller", &GetCallerResponse { name: "anonymous".into(), roles, is_anonymous: true })
    }

    /// A method's answer.
    pub(crate) fn answers(self, method: &'static str, message: &impl Message) -> Self {
        self.replies(method, vec![message.encode_to_vec()], Status::ok(""))
    }

    /// A method's answer in several messages.
    pub(crate) fn streams<M: Message>(self, method: &'static str, messages: &[M]) -> Self {
        self.replies(method, messages.iter().map(Message::encode_to_vec).collect(), Status::ok(""))
    }

    /// A method's failure.
    pub(crate) fn fails(self, method: &'static str, status: Status) -> Self {
        self.replies(method, Vec::new(), status)
    }

    fn replies(mut self, method: &'static str, messages: Vec<Vec<u8>>, status: Status) -> Self {
        self.replies.entry(method).or_default().push_back(Reply { messages, status });
        self
    }

    fn reply(&mut self, method: &str) -> Reply {
        let unknown = || Reply {
            messages: Vec::new(),
            status: Status::unimplemented(format!("{method} is not scripted")),
        };
        let Some(replies) = self.replies.get_mut(method) else { return unknown() };
        let reply = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
        reply.unwrap_or_else(unknown)
    }

    /// The site in front of these services, at this time.
    pub(crate) fn site(self, now: &str) -> Site {
        let script = Arc::new(Mutex::new(self));
        let services = Router::new().fallback({
            let script = script.clone();
            move |request: Request<Body>| answer(script.clone(), request)
        });
        let mut context = Context::new();
        context.clock = Arc::new(StoppedClock(now.parse::<DateTime<Utc>>().unwrap()));
        let (channel, task) =
            in_process("scripted", Routes::from(services), context.shutdown.clone()).unwrap();
        tokio::spawn(task.run);
        let backend = Backend { coordinator: channel.clone(), activity: channel };
        let address = HOST.parse().unwrap();
        let served = Served { address, is_encrypted: false, allow_unauthenticated: false };
        let router = site::assemble(&Options::default(), backend, &context, served).unwrap();
        Site { router, script, cookie: Mutex::default() }
    }
}

async fn answer(script: Arc<Mutex<Script>>, request: Request<Body>) -> Response<Body> {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let reply = {
        let mut script = script.lock().unwrap();
        script.asked.push((method.clone(), body.slice(5.min(body.len())..)));
        script.reply(&method)
    };
    Response::builder()
        .header(header::CONTENT_TYPE, "application/grpc")
        .body(Body::new(Framed::from(reply)))
        .unwrap()
}

/// Messages and a status as gRPC sends them.
struct Framed(VecDeque<Frame<Bytes>>);

impl From<Reply> for Framed {
    fn from(reply: Reply) -> Self {
        let mut frames: VecDeque<Frame<Bytes>> = reply
            .messages
            .iter()
            .map(|message| {
                let mut frame = BytesMut::new();
                frame.put_u8(0);
                frame.put_u32(u32::try_from(message.len()).unwrap());
                frame.put_slice(message);
                Frame::data(frame.freeze())
            })
            .collect();
        let mut trailers = HeaderMap::new();
        reply.status.add_header(&mut trailers).unwrap();
        if reply.status.code() == Code::Ok {
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
        }
        frames.push_back(Frame::trailers(trailers));
        Self(frames)
    }
}

impl http_body::Body for Framed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// The site in front of scripted services.
pub(crate) struct Site {
    router: Router,
    script: Arc<Mutex<Script>>,
    /// What the browser was given to keep.
    cookie: Mutex<Option<HeaderValue>>,
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

impl Site {
    /// Opens an address.
    pub(crate) async fn get(&self, address: &str) -> Page {
        self.send(Request::builder().uri(address).body(Body::empty()).unwrap()).await
    }

    /// Sends a form.
    pub(crate) async fn post(&self, address: &str, form: &str) -> Page {
        let request = Request::builder()
            .method(Method::POST)
            .uri(address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, format!("http://{HOST}"))
            .body(Body::from(form.to_owned()))
            .unwrap();
        self.send(request).await
    }

    async fn send(&self, mut request: Request<Body>) -> Page {
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_static(HOST));
        if let Some(cookie) = self.cookie.lock().unwrap().clone() {
            headers.insert(header::COOKIE, cookie);
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        if let Some(cookie) = head.headers.get(header::SET_COOKIE) {
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            *self.cookie.lock().unwrap() = Some(pair.parse().unwrap());
        }
        let whole = to_bytes(body, usize::MAX).await;
        Page {
            status: head.status,
            headers: head.headers,
            is_whole: whole.is_ok(),
            text: String::from_utf8(whole.unwrap_or_default().to_vec()).unwrap(),
        }
    }

    /// What a method was asked, in order.
    pub(crate) fn asked<M: Message + Default>(&self, method: &str) -> Vec<M> {
        let script = self.script.lock().unwrap();
        let requests = script.asked.iter().filter(|(asked, _)| asked == method);
        requests.map(|(_, body)| M::decode(body.clone()).unwrap()).collect()
    }
}
