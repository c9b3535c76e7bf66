//! Readers that open an export and then stall, over real connections.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, time::Duration};

use futures::future::join_all;
use proto::activity::v1::{
    ExportCompanyActivityRequest, ExportCompanyActivityResponse, GetCompanyActivityRequest,
    company_activity_service_client::CompanyActivityServiceClient,
};
use runtime::{Context, ServerOptions, serve};
use tempfile::TempDir;
use test_postgres::Database;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use tonic::{Code, Status, Streaming, transport::Endpoint};
use warehouse::SharedWarehouse;
use warehouse_conformance::scene::{at, day, days, publish_run};

/// Enough that no buffer between warehouse and reader holds all rows.
const COMPANIES: usize = 2_000;
const DAYS: i64 = 20;
const ROWS: usize = COMPANIES * 20;

/// As many as the connections for exports.
const READERS: usize = 8;

/// A deadline for what must not hang, not a performance bound.
const IN_TIME: Duration = Duration::from_secs(120);

/// A reader's flow-control window: a fraction of one message.
const WINDOW: u32 = 65_535;

struct Suite {
    address: SocketAddr,
    context: Context,
    warehouse: SharedWarehouse,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Suite {
    async fn over(warehouse_url: &str, export_stall_timeout: Duration) -> Self {
        let warehouse = warehouse::open(warehouse_url).await.unwrap();
        let companies: Vec<String> = (0..COMPANIES).map(|number| format!("company-{number:04}")).collect();
        let records = || companies.iter().map(|company| (company.as_str(), 1, 1)).collect();
        publish_run(&warehouse, days(0, DAYS - 1), at(0), &[], &[(day(0), records()), (day(10), records())])
            .await;
        let context = Context::new();
        let options = activity::Options { export_stall_timeout };
        let service = activity::assemble(&options, warehouse.clone(), &context);
        let (listening, address) = oneshot::channel();
        // A drain that waited for calls in flight would exceed the test's deadline.
        let server = ServerOptions { drain_timeout: IN_TIME * 10, ..ServerOptions::default() };
        let serving = tokio::spawn(serve(service, server, context.clone(), |address| {
            listening.send(address).unwrap();
        }));
        Self { address: address.await.unwrap(), context, warehouse, serving }
    }

    /// Waits until no connection of the warehouse is in use.
    async fn unused_warehouse(&self) {
        while self.warehouse.connections().used > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A client on its own connection.
    async fn client(&self) -> CompanyActivityServiceClient<tonic::transport::Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        let channel = endpoint
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .connect()
            .await
            .unwrap();
        CompanyActivityServiceClient::new(channel)
    }

    async fn export(&self) -> Streaming<ExportCompanyActivityResponse> {
        let request = ExportCompanyActivityRequest {
            start_date: day(0).to_string(),
            end_date: day(DAYS - 1).to_string(),
            ..Default::default()
        };
        self.client().await.export_company_activity(request).await.unwrap().into_inner()
    }

    /// Exports whose readers each took one message.
    async fn stalled_exports(&self) -> Vec<Streaming<ExportCompanyActivityResponse>> {
        join_all((0..READERS).map(async |_| {
            let mut export = self.export().await;
            export.message().await.unwrap().unwrap();
            export
        }))
        .await
    }
}

/// The rows of an export, and how it ended.
async fn read(mut export: Streaming<ExportCompanyActivityResponse>) -> (usize, Result<(), Status>) {
    let mut rows = 0;
    loop {
        match export.message().await {
            Ok(Some(message)) => rows += message.activities.len(),
            Ok(None) => return (rows, Ok(())),
            Err(status) => return (rows, Err(status)),
        }
    }
}

async fn stop_nobody(warehouse_url: &str) {
    let suite = Suite::over(warehouse_url, Duration::from_secs(2)).await;
    let stalled = suite.stalled_exports().await;
    let request = GetCompanyActivityRequest {
        company_id: "company-0007".to_owned(),
        activity_date: day(1).to_string(),
    };
    let answer = timeout(IN_TIME, suite.client().await.get_company_activity(request)).await.unwrap();
    assert!(answer.is_ok(), "{answer:?}");
    let (rows, ended) = timeout(IN_TIME, read(suite.export().await)).await.unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(rows, ROWS);
    timeout(IN_TIME, suite.unused_warehouse()).await.unwrap();
    for export in stalled {
        let (rows, ended) = timeout(IN_TIME, read(export)).await.unwrap();
        let status = ended.unwrap_err();
        assert!(rows < ROWS, "nothing was held back");
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().contains("took nothing for 2s"), "{status:?}");
        assert!(status.message().contains("--export-stall-timeout"), "{status:?}");
    }
}

async fn hold_up_no_shutdown(warehouse_url: &str) {
    let suite = Suite::over(warehouse_url, IN_TIME * 10).await;
    let _stalled = suite.stalled_exports().await;
    suite.context.shutdown.cancel();
    timeout(IN_TIME, suite.serving).await.unwrap().unwrap().unwrap();
}

fn sqlite() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/warehouse.sqlite", folder.path().display());
    (folder, url)
}

#[tokio::test]
async fn eight_stalled_readers_stop_nobody_on_sqlite() {
    let (_folder, url) = sqlite();
    stop_nobody(&url).await;
}

#[tokio::test]
async fn eight_stalled_readers_stop_nobody_on_postgres() {
    let database = Database::create().await.unwrap();
    stop_nobody(&database.url()).await;
}

#[tokio::test]
async fn stalled_readers_hold_up_no_shutdown_on_sqlite() {
    let (_folder, url) = sqlite();
    hold_up_no_shutdown(&url).await;
}

#[tokio::test]
async fn stalled_readers_hold_up_no_shutdown_on_postgres() {
    let database = Database::create().await.unwrap();
    hold_up_no_shutdown(&database.url()).await;
}
