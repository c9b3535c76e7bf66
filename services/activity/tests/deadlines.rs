//! Calls that end at their deadlines, or whose callers go, over real connections.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, time::Duration};

use futures::future::join_all;
use proto::activity::v1::{
    ExportCompanyActivityRequest, GetCompanyActivityRequest, GetFreshnessRequest,
    company_activity_service_client::CompanyActivityServiceClient,
};
use runtime::{Context, ServerOptions, serve};
use sqlx::{Connection as _, Executor, PgConnection};
use test_postgres::Database;
use tokio::{sync::oneshot, time::timeout};
use tonic::{Code, Request, transport::Endpoint};
use warehouse_conformance::scene::{at, day, days, publish_run};

/// A deadline for what must not hang: less than any limit of statements and locks.
const IN_TIME: Duration = Duration::from_secs(20);

const DEADLINE: Duration = Duration::from_millis(100);

/// Enough that no buffer between warehouse and reader holds all rows.
const COMPANIES: usize = 1_000;
const DAYS: i64 = 20;

/// A reader's flow-control window: a fraction of one message.
const WINDOW: u32 = 65_535;

type Client = CompanyActivityServiceClient<tonic::transport::Channel>;

struct Suite {
    database: Database,
    address: SocketAddr,
}

impl Suite {
    /// The service with three connections to its warehouse.
    async fn serve() -> Self {
        let database = Database::create().await.unwrap();
        let mut url: url::Url = database.url().parse().unwrap();
        url.query_pairs_mut().append_pair("max_connections", "3");
        let warehouse = warehouse::open(url.as_str()).await.unwrap();
        let companies: Vec<String> = (0..COMPANIES).map(|number| format!("company-{number:04}")).collect();
        let records = || companies.iter().map(|company| (company.as_str(), 1, 1)).collect();
        publish_run(&warehouse, days(0, DAYS - 1), at(0), &[], &[(day(0), records()), (day(10), records())])
            .await;
        let context = Context::new();
        let options = activity::Options { export_stall_timeout: Duration::from_secs(600) };
        let service = activity::assemble(&options, warehouse, &context);
        let (listening, address) = oneshot::channel();
        tokio::spawn(serve(service, ServerOptions::default(), context, |address| {
            listening.send(address).unwrap();
        }));
        Self { database, address: address.await.unwrap() }
    }

    /// A client on its own connection.
    async fn client(&self) -> Client {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        let channel = endpoint
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .connect()
            .await
            .unwrap();
        CompanyActivityServiceClient::new(channel)
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.database.url()).await.unwrap()
    }

    /// Somebody who keeps every reader of published data waiting.
    async fn blocker(&self) -> PgConnection {
        let mut blocker = self.connect().await;
        blocker.execute("BEGIN; LOCK TABLE published_days, fact_company_activity").await.unwrap();
        blocker
    }

    /// Waits until some statement of the service waits for the blocker, or none does.
    async fn statements_wait(&self, wanted: bool) {
        let mut observer = self.connect().await;
        let counted = async {
            while sqlx::query_scalar::<_, bool>(
                "SELECT COUNT(*) > 0 FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&mut observer)
            .await
            .unwrap()
                != wanted
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(IN_TIME, counted).await.unwrap();
    }

    /// A call that nobody blocks any more.
    async fn answers(&self) {
        let request = GetCompanyActivityRequest {
            company_id: "company-0007".to_owned(),
            activity_date: day(1).to_string(),
        };
        timeout(IN_TIME, self.client().await.get_company_activity(request)).await.unwrap().unwrap();
    }
}

fn within<T>(deadline: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

fn whole_export() -> ExportCompanyActivityRequest {
    ExportCompanyActivityRequest {
        start_date: day(0).to_string(),
        end_date: day(DAYS - 1).to_string(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_hundred_calls_past_their_deadlines_leave_no_statement_and_a_pool_that_serves() {
    let suite = Suite::serve().await;
    let mut blocker = suite.blocker().await;
    let client = suite.client().await;
    let calls = join_all((0..100).map(async |number| {
        let mut client = client.clone();
        match number % 2 {
            0 => client.get_freshness(within(DEADLINE, GetFreshnessRequest {})).await.map(drop),
            _ => client.export_company_activity(within(DEADLINE, whole_export())).await.map(drop),
        }
    }));
    for outcome in timeout(IN_TIME, calls).await.unwrap() {
        // Whether client or server is the first to notice; tonic's clients say CANCELLED.
        let code = outcome.unwrap_err().code();
        assert!(matches!(code, Code::DeadlineExceeded | Code::Cancelled), "{code}");
    }
    suite.statements_wait(false).await;
    blocker.execute("ROLLBACK").await.unwrap();
    suite.answers().await;
}

#[tokio::test]
async fn the_statement_of_a_caller_that_went_away_is_stopped() {
    let suite = Suite::serve().await;
    let mut blocker = suite.blocker().await;
    for _ in 0..4 {
        let mut client = suite.client().await;
        let call = tokio::spawn(async move { client.get_freshness(GetFreshnessRequest {}).await.map(drop) });
        suite.statements_wait(true).await;
        // Drops the connection with the call.
        call.abort();
        suite.statements_wait(false).await;
    }
    blocker.execute("ROLLBACK").await.unwrap();
    suite.answers().await;
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline() {
    let suite = Suite::serve().await;
    let mut client = suite.client().await;
    let deadline = Duration::from_secs(3);
    let mut export =
        client.export_company_activity(within(deadline, whole_export())).await.unwrap().into_inner();
    export.message().await.unwrap().unwrap();
    tokio::time::sleep(deadline).await;
    let ended = async {
        loop {
            match export.message().await {
                Ok(Some(_)) => {}
                ended => break ended,
            }
        }
    };
    let status = timeout(IN_TIME, ended).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(status.message().contains("the call's deadline has passed: it gave 3s"), "{status}");
    suite.answers().await;
}
