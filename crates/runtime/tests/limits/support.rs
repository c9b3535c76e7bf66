//! A server whose calls take as long as the test wants, and its clients.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{Stream, stream};
use proto::activity::v1::{
    CompanyActivity, ExportCompanyActivityRequest, ExportCompanyActivityResponse, GetChurnSummaryRequest,
    GetChurnSummaryResponse, GetCompanyActivityRequest, GetCompanyActivityResponse, GetFreshnessRequest,
    GetFreshnessResponse, ListChurnRisksRequest, ListChurnRisksResponse, ListCompanyActivityRequest,
    ListCompanyActivityResponse, ListPublicationsRequest, ListPublicationsResponse, ListPublishedDaysRequest,
    ListPublishedDaysResponse, RollUpCompanyActivityRequest, RollUpCompanyActivityResponse,
    SearchCompaniesRequest, SearchCompaniesResponse,
    company_activity_service_client::CompanyActivityServiceClient,
    company_activity_service_server::{CompanyActivityService, CompanyActivityServiceServer},
};
use runtime::{Context, Limits, ServerOptions, Service, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, oneshot},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;
use tonic::{
    Request, Response, Status, async_trait,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// A deadline for what must not hang, not a performance bound.
pub(crate) const IN_TIME: Duration = Duration::from_secs(60);

/// What a client of HTTP/2 says first: the preface and empty settings.
pub(crate) const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Answers of a service that the test controls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handlers {
    /// Exports whose handlers have not ended.
    pub(crate) exports: Arc<AtomicUsize>,
    /// Lists that are being answered.
    pub(crate) lists: Arc<AtomicUsize>,
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn by(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(counter.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Scripted {
    handlers: Handlers,
    never: Semaphore,
}

type Rows = Pin<Box<dyn Stream<Item = Result<ExportCompanyActivityResponse, Status>> + Send>>;

#[async_trait]
impl CompanyActivityService for Scripted {
    type ExportCompanyActivityStream = Rows;

    /// At once.
    async fn get_freshness(
        &self,
        _: Request<GetFreshnessRequest>,
    ) -> Result<Response<GetFreshnessResponse>, Status> {
        Ok(Response::new(GetFreshnessResponse::default()))
    }

    /// Never.
    async fn list_company_activity(
        &self,
        _: Request<ListCompanyActivityRequest>,
    ) -> Result<Response<ListCompanyActivityResponse>, Status> {
        let _counted = Counted::by(&self.handlers.lists);
        let _never = self.never.acquire().await;
        Ok(Response::new(ListCompanyActivityResponse::default()))
    }

    /// Without end.
    async fn export_company_activity(
        &self,
        _: Request<ExportCompanyActivityRequest>,
    ) -> Result<Response<Rows>, Status> {
        let counted = Counted::by(&self.handlers.exports);
        let row = CompanyActivity { company_id: "a".repeat(32 * 1024), ..CompanyActivity::default() };
        let message = ExportCompanyActivityResponse {
            activities: vec![row],
            ..ExportCompanyActivityResponse::default()
        };
        let messages = stream::repeat_with(move || {
            let _ = &counted;
            Ok(message.clone())
        });
        Ok(Response::new(Box::pin(messages)))
    }

    async fn get_company_activity(
        &self,
        _: Request<GetCompanyActivityRequest>,
    ) -> Result<Response<GetCompanyActivityResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn roll_up_company_activity(
        &self,
        _: Request<RollUpCompanyActivityRequest>,
    ) -> Result<Response<RollUpCompanyActivityResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn search_companies(
        &self,
        _: Request<SearchCompaniesRequest>,
    ) -> Result<Response<SearchCompaniesResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_churn_summary(
        &self,
        _: Request<GetChurnSummaryRequest>,
    ) -> Result<Response<GetChurnSummaryResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_published_days(
        &self,
        _: Request<ListPublishedDaysRequest>,
    ) -> Result<Response<ListPublishedDaysResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_publications(
        &self,
        _: Request<ListPublicationsRequest>,
    ) -> Result<Response<ListPublicationsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_churn_risks(
        &self,
        _: Request<ListChurnRisksRequest>,
    ) -> Result<Response<ListChurnRisksResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

/// A server within limits.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) handlers: Handlers,
    _serving: AbortOnDropHandle<anyhow::Result<()>>,
}

impl Server {
    pub(crate) async fn within(limits: Limits) -> Self {
        let handlers = Handlers::default();
        let scripted = Scripted { handlers: handlers.clone(), never: Semaphore::new(0) };
        let service = Service::new("scripted").with_grpc(CompanyActivityServiceServer::new(scripted));
        let options = ServerOptions { limits, ..ServerOptions::default() };
        let (listening, address) = oneshot::channel();
        let serving = tokio::spawn(serve(service, options, Context::new(), |address| {
            listening.send(address).unwrap();
        }));
        Self { address: address.await.unwrap(), handlers, _serving: AbortOnDropHandle::new(serving) }
    }

    /// A client with a connection of its own.
    pub(crate) fn client(&self) -> CompanyActivityServiceClient<Channel> {
        CompanyActivityServiceClient::new(self.endpoint().connect_lazy())
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    /// A connection that says only this.
    pub(crate) async fn socket(&self, says: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(says).await.unwrap();
        socket
    }

    /// Whether a probe on a connection of its own is answered.
    pub(crate) async fn is_healthy(&self) -> bool {
        let mut client = HealthClient::new(self.endpoint().connect_lazy());
        client.check(HealthCheckRequest::default()).await.is_ok()
    }
}

/// What a socket receives until it is closed.
pub(crate) async fn rest_of(mut socket: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A connection that is cut off may end with an error.
    let _ = timeout(IN_TIME, socket.read_to_end(&mut rest)).await.unwrap();
    rest
}

/// Whether a frame of this type is among what a server has sent.
pub(crate) fn has_frame(mut bytes: &[u8], kind: u8) -> bool {
    while let [a, b, c, found, ..] = bytes {
        if *found == kind {
            return true;
        }
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    false
}

/// Waits for a condition, as often as other tasks let it.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(IN_TIME, met).await.unwrap();
}
