//! An OTLP collector that keeps what it receives.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, async_trait, transport::Server};

use crate::trace::{Span, Trace, spans_of};

/// How long a test waits for spans: several of the exporters' intervals.
const PATIENCE: Duration = Duration::from_secs(60);

/// A collector on its own loopback port. Dropping it ends it.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    spans: watch::Receiver<Vec<Span>>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Starts listening.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (kept, spans) = watch::channel(Vec::new());
        let service = TraceServiceServer::new(Collector { kept });
        let server = tokio::spawn(async move {
            // Ends with the test; a test that misses spans reports that itself.
            let _ = Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await;
        });
        Ok(Self { address, spans, server })
    }

    /// The value for `--otlp-endpoint`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans received so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.spans.borrow().clone()
    }

    /// Waits until a trace is as `wanted`, and returns it.
    ///
    /// # Errors
    /// If it does not arrive in time; the error shows what did.
    pub async fn trace(&self, trace_id: &str, wanted: impl Fn(&Trace) -> bool) -> anyhow::Result<Trace> {
        let mut spans = self.spans.clone();
        let complete = spans.wait_for(|spans| wanted(&Trace::among(spans, trace_id)));
        let arrived = tokio::time::timeout(PATIENCE, complete).await.is_ok();
        let trace = Trace::among(&self.spans(), trace_id);
        anyhow::ensure!(arrived, "the trace is not as expected after {PATIENCE:?}:\n{trace}");
        Ok(trace)
    }

    /// Waits for a span, and returns it.
    ///
    /// # Errors
    /// If it does not arrive in time.
    pub async fn span(&self, wanted: impl Fn(&Span) -> bool) -> anyhow::Result<Span> {
        let mut spans = self.spans.clone();
        let arrived = tokio::time::timeout(PATIENCE, spans.wait_for(|spans| spans.iter().any(&wanted)));
        drop(arrived.await);
        self.spans().into_iter().find(&wanted).context("no such span has arrived")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Collector {
    kept: watch::Sender<Vec<Span>>,
}

#[async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let arrived = spans_of(request.into_inner());
        self.kept.send_modify(|kept| kept.extend(arrived));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
