//! Services that answer what a test says, method by method.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context as TaskContext, Poll, ready},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Request, Response, header},
};
use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::{FutureExt, Stream, StreamExt, stream, stream::BoxStream};
use http_body::Frame;
use prost::Message;
use proto::access::v1::{GetCallerResponse, Role};
use runtime::channel::in_process;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, service::Routes};

use super::Site;
use crate::backend::Backend;

/// Messages, encoded, and a status if there is an error at their end.
type Messages = BoxStream<'static, Result<Vec<u8>, Status>>;

/// What a method makes of a request.
type Reply = Arc<dyn Fn(Bytes) -> Messages + Send + Sync>;

/// What each method answers, by its name. Of several answers each is given once, the last
/// one for ever. Clones are the same services, so that a test changes what they answer.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Replies>>);

#[derive(Default)]
struct Replies {
    by_method: HashMap<&'static str, VecDeque<Reply>>,
    asked: Vec<(String, Bytes)>,
}

impl Script {
    /// Services that ask nobody who they are, and know nothing else.
    pub(crate) fn new() -> Self {
        Self::default().answers("GetCaller", &anonymous(&[Role::Reader, Role::Operator]))
    }

    /// Services to which a visitor is a reader, and no more.
    pub(crate) fn for_readers(&self) -> Self {
        self.instead("GetCaller").answers("GetCaller", &anonymous(&[Role::Reader]))
    }

    /// Services that know the visitor, and let them do nothing.
    pub(crate) fn for_strangers(&self) -> Self {
        self.instead("GetCaller").answers("GetCaller", &anonymous(&[]))
    }

    /// A method's answer.
    pub(crate) fn answers(&self, method: &'static str, message: &impl Message) -> Self {
        let message = message.encode_to_vec();
        self.replies(method, move |_| stream::iter([Ok(message.clone())]))
    }

    /// A method's answer in several messages.
    pub(crate) fn streams<M: Message>(&self, method: &'static str, messages: &[M]) -> Self {
        let messages: Vec<Vec<u8>> = messages.iter().map(Message::encode_to_vec).collect();
        self.replies(method, move |_| stream::iter(messages.clone().into_iter().map(Ok)))
    }

    /// A method's failure.
    pub(crate) fn fails(&self, method: &'static str, status: Status) -> Self {
        self.replies(method, move |_| stream::iter([Err(status.clone())]))
    }

    /// A method's answer that depends on what it is asked.
    pub(crate) fn answers_with<Q: Message + Default, A: Message + 'static>(
        &self,
        method: &'static str,
        answer: impl Fn(Q) -> Result<A, Status> + Send + Sync + 'static,
    ) -> Self {
        self.streams_with(method, move |request| stream::iter([answer(request)]))
    }

    /// As [`Script::answers_with`] in messages that a test sends.
    pub(crate) fn streams_with<Q: Message + Default, A: Message, S>(
        &self,
        method: &'static str,
        answer: impl Fn(Q) -> S + Send + Sync + 'static,
    ) -> Self
    where
        S: Stream<Item = Result<A, Status>> + Send + 'static,
    {
        self.replies(method, move |request| {
            let messages = answer(Q::decode(request).unwrap());
            messages.map(|message| message.map(|message| message.encode_to_vec()))
        })
    }

    /// The services without what a method answers so far.
    pub(crate) fn instead(&self, method: &'static str) -> Self {
        self.lock().by_method.remove(method);
        self.clone()
    }

    fn replies<S>(&self, method: &'static str, reply: impl Fn(Bytes) -> S + Send + Sync + 'static) -> Self
    where
        S: Stream<Item = Result<Vec<u8>, Status>> + Send + 'static,
    {
        let reply: Reply = Arc::new(move |request| reply(request).boxed());
        self.lock().by_method.entry(method).or_default().push_back(reply);
        self.clone()
    }

    /// What a method was asked, in order.
    pub(crate) fn asked<M: Message + Default>(&self, method: &str) -> Vec<M> {
        let replies = self.lock();
        let requests = replies.asked.iter().filter(|(asked, _)| asked == method);
        requests.map(|(_, request)| M::decode(request.clone()).unwrap()).collect()
    }

    /// The methods that would change something, as far as they were asked, in order.
    pub(crate) fn actions(&self) -> Vec<String> {
        let methods = self.lock().asked.iter().map(|(method, _)| method.clone()).collect::<Vec<_>>();
        let reads = ["Get", "List", "Watch"];
        methods.into_iter().filter(|method| !reads.iter().any(|read| method.starts_with(read))).collect()
    }

    /// The services, served in this process.
    pub(crate) fn serve(&self) -> Backend {
        let script = self.clone();
        let services = Router::new().fallback(move |request| script.clone().answer(request));
        let (channel, task) =
            in_process("scripted", Routes::from(services), CancellationToken::new()).unwrap();
        tokio::spawn(task.run);
        Backend { coordinator: channel.clone(), activity: channel }
    }

    /// The site in front of these services, at this time.
    pub(crate) fn site(&self, now: &str) -> Site {
        Site::new(self.clone(), now.parse::<DateTime<Utc>>().unwrap())
    }

    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
        // Before the message stand a flag and its length.
        let message = body.slice(5.min(body.len())..);
        let reply = self.lock().reply(&method, &message);
        let mut messages = reply.map_or_else(
            || stream::iter([Err(Status::unimplemented(format!("{method} is not scripted")))]).boxed(),
            |reply| reply(message),
        );
        // A refusal comes in place of a stream, and not at its end.
        match messages.next().now_or_never() {
            None => {}
            Some(Some(Err(status))) => return status.into_http(),
            Some(first) => messages = stream::iter(first).chain(messages).boxed(),
        }
        Response::builder()
            .header(header::CONTENT_TYPE, "application/grpc")
            .body(Body::new(Framed(Some(messages))))
            .unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, Replies> {
        self.0.lock().unwrap()
    }
}

impl Replies {
    fn reply(&mut self, method: &str, message: &Bytes) -> Option<Reply> {
        self.asked.push((method.to_owned(), message.clone()));
        let replies = self.by_method.get_mut(method)?;
        if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
    }
}

fn anonymous(roles: &[Role]) -> GetCallerResponse {
    let roles = roles.iter().copied().map(i32::from).collect();
    GetCallerResponse { name: "anonymous".into(), roles, is_anonymous: true }
}

/// Messages and a status as gRPC sends them; `None` once the status is sent.
struct Framed(Option<Messages>);

impl http_body::Body for Framed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(messages) = &mut self.0 else { return Poll::Ready(None) };
        let frame = match ready!(messages.poll_next_unpin(context)) {
            Some(Ok(message)) => framed(&message),
            Some(Err(status)) => self.end(&status),
            None => self.end(&Status::ok("")),
        };
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Framed {
    fn end(&mut self, status: &Status) -> Frame<Bytes> {
        self.0 = None;
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        if status.code() == Code::Ok {
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
        }
        Frame::trailers(trailers)
    }
}

fn framed(message: &[u8]) -> Frame<Bytes> {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    Frame::data(frame.freeze())
}
