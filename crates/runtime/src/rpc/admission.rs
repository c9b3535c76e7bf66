//! Refuses calls for which there is no room, and those of callers that ask too often.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use access::{Admission, Caller, Role, admission};
use domain::FailureKind;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use opentelemetry::{KeyValue, metrics::Counter};
use prost::Message;
use prost_types::FileDescriptorSet;
use telemetry::metrics::SERVER_LIMITED;
use tls::LogLimit;
use tonic::{Status, body::Body};
use tower::{Layer, Service};
use tracing::{debug, warn};

use super::callers::{Callers, Class, Key, Overload, Permit};
use crate::connections::{Connection, ConnectionCall};

/// How often a refusal is worth a warning. Anybody can cause them.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Admits calls within the limits of a server. It belongs inside of the access check, which
/// says who calls. Methods that are open to everybody, such as health, always pass.
#[derive(Clone)]
pub(crate) struct AdmissionLayer(Arc<Rules>);

struct Rules {
    callers: Callers,
    /// Paths of methods whose answer is a stream.
    streams: HashSet<String>,
    /// Whether everybody is admitted without being asked: then addresses tell callers apart.
    is_open: bool,
    refused: Counter<u64>,
    log: LogLimit,
}

impl AdmissionLayer {
    /// # Errors
    /// Never in practice: the contracts are compiled in.
    pub(crate) fn new(callers: Callers, is_open: bool) -> anyhow::Result<Self> {
        let refused = SERVER_LIMITED.counter();
        for limit in ["calls", "streams", "stages", "rate"] {
            // Nothing yet, so that the first refusal is an increase.
            refused.add(0, &[KeyValue::new("port", "grpc"), KeyValue::new("limit", limit)]);
        }
        Ok(Self(Arc::new(Rules {
            callers,
            streams: streams()?,
            is_open,
            refused,
            log: LogLimit::new(WARN_EVERY),
        })))
    }
}

/// The paths of all methods whose answer is a stream.
fn streams() -> anyhow::Result<HashSet<String>> {
    let mut paths = HashSet::new();
    for file in FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET)?.file {
        for service in &file.service {
            for method in service.method.iter().filter(|method| method.server_streaming()) {
                paths.insert(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    Ok(paths)
}

impl Rules {
    fn class(&self, path: &str) -> Class {
        match admission(path) {
            // What readers may call as well never takes the places that are kept for the pipeline.
            Some(Admission::Roles(roles))
                if (roles.contains(&Role::Stage) || roles.contains(&Role::Alerts))
                    && !roles.contains(&Role::Reader) =>
            {
                Class::Stage
            }
            _ if path.starts_with("/grpc.reflection.") => Class::Stream,
            _ if self.streams.contains(path) => Class::Stream,
            _ => Class::Call,
        }
    }

    fn begin<B>(&self, request: &Request<B>) -> Result<Option<Held>, Status> {
        let Some(caller) = request.extensions().get::<Caller>() else { return Ok(None) };
        let connection = request.extensions().get::<Connection>();
        let key = if self.is_open {
            Key::of_address(connection.and_then(Connection::peer))
        } else {
            Key::Name(caller.name().to_owned())
        };
        let path = request.uri().path();
        let permit = self.callers.begin(key, self.class(path)).map_err(|overload| {
            self.report(caller, path, overload);
            refusal(overload)
        })?;
        Ok(Some(Held { _permit: permit, _call: connection.map(Connection::begin_call) }))
    }

    fn report(&self, caller: &Caller, path: &str, Overload { limit, .. }: Overload) {
        self.refused.add(1, &[KeyValue::new("port", "grpc"), KeyValue::new("limit", limit)]);
        if let Some(left_out) = self.log.admit() {
            warn!(
                caller = caller.name(),
                method = path,
                limit,
                left_out,
                "a call is refused: there is no room"
            );
        } else {
            debug!(caller = caller.name(), method = path, limit, "a call is refused: there is no room");
        }
    }
}

fn refusal(Overload { limit, wait, is_callers_own }: Overload) -> Status {
    let message = match (limit, is_callers_own) {
        ("rate", _) => {
            "you call too often: wait as long as this status says, or have the server's \
                        --max-calls-per-second raised"
        }
        (_, true) => {
            "too many of your calls are open: wait until some have ended, or have the server's \
                      --max-calls raised"
        }
        (_, false) => "the server is busy: try again in a moment",
    };
    contract::status(FailureKind::Exhausted, message, Some(wait))
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admits<S>;

    fn layer(&self, inner: S) -> Admits<S> {
        Admits { inner, rules: self.0.clone() }
    }
}

/// A server that refuses calls for which there is no room.
#[derive(Clone)]
pub(crate) struct Admits<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S, B> Service<Request<B>> for Admits<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.rules.begin(&request) {
            Ok(None) => Box::pin(self.inner.call(request)),
            Ok(Some(held)) => {
                let answering = self.inner.call(request);
                Box::pin(async move {
                    let response = answering.await?;
                    Ok(response.map(|body| Body::new(HoldingBody { body, _held: held })))
                })
            }
            Err(status) => Box::pin(std::future::ready(Ok(status.into_http()))),
        }
    }
}

/// What a call has until its answer has ended.
struct Held {
    _permit: Permit,
    _call: Option<ConnectionCall>,
}

/// A response body that holds its call's place.
struct HoldingBody {
    body: Body,
    _held: Held,
}

impl http_body::Body for HoldingBody {
    type Data = <Body as http_body::Body>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_competes_with_its_like() {
        let rules = AdmissionLayer::new(Callers::new(1, 0), true).unwrap().0;
        for (path, class) in [
            ("company_activity.activity.v1.CompanyActivityService/GetCompanyActivity", Class::Call),
            ("company_activity.activity.v1.CompanyActivityService/ExportCompanyActivity", Class::Stream),
            ("company_activity.pipeline.v1.PipelineService/WatchRun", Class::Stream),
            ("company_activity.pipeline.v1.PipelineService/TriggerRun", Class::Call),
            ("company_activity.stage.v1.StageService/ExecuteStage", Class::Stage),
            ("company_activity.notifier.v1.NotifierService/Notify", Class::Stage),
            ("company_activity.reconciliation.v1.ReconciliationService/Preview", Class::Stage),
            ("company_activity.reconciliation.v1.ReconciliationService/Explain", Class::Call),
            ("company_activity.provenance.v1.ProvenanceService/GetDaySources", Class::Call),
            ("company_activity.provenance.v1.ProvenanceService/ListCompanyVersions", Class::Call),
            ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Class::Stream),
        ] {
            assert_eq!(rules.class(&format!("/{path}")), class, "{path}");
        }
    }
}
