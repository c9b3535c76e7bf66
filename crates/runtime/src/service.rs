//! A service as the bootstrap sees it: gRPC routes, pages and background tasks.

use std::{convert::Infallible, fmt, future::Future, pin::Pin};

use tonic::{
    body::Body,
    codegen::http,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tower::Service as TowerService;

use crate::{
    context::Context,
    site::Site,
    stage::{self, StageExecutor},
};

/// A service, ready to be served alone or together with others.
#[derive(Debug)]
pub struct Service {
    /// The service's name, for example `ingest-crm`.
    pub name: &'static str,
    /// The stages that it executes; empty if it is not a stage service.
    pub stages: &'static [&'static str],
    /// Its gRPC services.
    pub grpc: Vec<GrpcRoutes>,
    /// Its pages over HTTP, if it has any.
    pub site: Option<Site>,
    /// Its work besides answering calls.
    pub background: Vec<BackgroundTask>,
}

/// One gRPC service.
#[derive(Debug, Clone)]
pub struct GrpcRoutes {
    /// Its full name, for example `company_activity.stage.v1.StageService`.
    pub name: &'static str,
    /// Its routes.
    pub routes: Routes,
}

impl GrpcRoutes {
    /// One router for several gRPC services.
    #[must_use]
    pub fn merge(services: &[Self]) -> Routes {
        let router = services.iter().fold(Routes::default().into_axum_router(), |router, grpc| {
            // Each router has a fallback for unknown methods; one is enough.
            router.merge(grpc.routes.clone().into_axum_router().reset_fallback())
        });
        Routes::from(router)
    }
}

/// A task that runs until the process shuts down. If it fails, the process ends with it.
pub struct BackgroundTask {
    /// The task's name, for the log.
    pub name: &'static str,
    /// The task; ends soon after the context's `shutdown` is cancelled.
    pub run: Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>,
}

impl Service {
    /// A service that does nothing yet.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, stages: &[], grpc: Vec::new(), site: None, background: Vec::new() }
    }

    /// Adds the stages of an executor, and the gRPC service that executes them.
    #[must_use]
    pub fn with_stages<E: StageExecutor>(mut self, executor: E, context: &Context) -> Self {
        self.stages = executor.stages();
        self.with_grpc(stage::server(executor, context))
    }

    /// Adds a generated gRPC server.
    #[must_use]
    pub fn with_grpc<S>(mut self, server: S) -> Self
    where
        S: TowerService<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        let mut routes = RoutesBuilder::default();
        routes.add_service(server);
        self.grpc.push(GrpcRoutes { name: S::NAME, routes: routes.routes() });
        self
    }

    /// Adds pages.
    #[must_use]
    pub fn with_site(mut self, site: Site) -> Self {
        self.site = Some(site);
        self
    }

    /// Adds a background task.
    #[must_use]
    pub fn with_background(
        mut self,
        name: &'static str,
        run: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> Self {
        self.background.push(BackgroundTask { name, run: Box::pin(run) });
        self
    }
}

impl fmt::Debug for BackgroundTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundTask").field("name", &self.name).finish_non_exhaustive()
    }
}
