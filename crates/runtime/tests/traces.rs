//! What a collector receives about a call between two services.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use domain::{Counters, FailureKind};
use proto::stage::v1::{DateWindow, ExecuteStageRequest, stage_service_client::StageServiceClient};
use runtime::{
    Channel, Context, LogWriter, Service, Telemetry, TelemetryArgs,
    stage::{ProgressSink, StageCall, StageError, StageExecutor, StageOutcome},
};
use telemetry::trace_context::{PastSpan, SpanIdentity};
use test_telemetry::Receiver;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{Instrument, info_span};

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

struct Scripted;

#[async_trait]
impl StageExecutor for Scripted {
    fn stages(&self) -> &'static [&'static str] {
        &["act_works", "act_fails"]
    }

    async fn execute(&self, call: StageCall, _progress: ProgressSink) -> Result<StageOutcome, StageError> {
        async {
            tracing::info!("working");
            execute_statement();
        }
        .instrument(info_span!("load file", db.system.name = "sqlite"))
        .await;
        if call.fence.stage == "act_works" {
            let counters = Counters { rows_read: 3, rows_written: 3, ..Counters::default() };
            return Ok(StageOutcome { counters, remarks: Vec::new() });
        }
        let message = "line 7 is broken".to_owned();
        Err(StageError { kind: FailureKind::InvalidInput, message, retry_after: None })
    }
}

/// Emits sqlx's event for a statement that has ended.
fn execute_statement() {
    tracing::debug!(
        target: "sqlx::query",
        summary = "INSERT INTO stg_crm_companies …",
        db.statement = "INSERT INTO stg_crm_companies (company_id) VALUES (?)",
        rows_affected = 3_u64,
        rows_returned = 0_u64,
        elapsed_secs = 0.01,
    );
}

fn serve() -> (Channel, AbortOnDropHandle<anyhow::Result<()>>) {
    let mut service = Service::new("scripted").with_grpc(runtime::stage::server(Scripted, &Context::new()));
    let routes = service.grpc.remove(0).routes;
    let (channel, task) = runtime::channel::in_process("scripted", routes, CancellationToken::new()).unwrap();
    (channel, AbortOnDropHandle::new(tokio::spawn(task.run)))
}

async fn execute(channel: &Channel, stage: &str) -> Option<tonic::Status> {
    let day = "2026-01-01".to_owned();
    let request = ExecuteStageRequest {
        run_id: "01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11".to_owned(),
        stage: stage.to_owned(),
        window: Some(DateWindow { start_date: day.clone(), end_date: day }),
        attempt: 1,
        ..ExecuteStageRequest::default()
    };
    let mut stream =
        StageServiceClient::new(channel.clone()).execute_stage(request).await.unwrap().into_inner();
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(status) => return Some(status),
        }
    }
}

/// A single test, because a process has only one telemetry.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_between_services_is_one_trace_with_its_outcome() {
    let collector = Receiver::start().await.unwrap();
    let line = CommandLine::parse_from(["test", "--otlp-endpoint", &collector.endpoint()]);
    let telemetry = Telemetry::start("scripted", &line.telemetry, LogWriter::stdout()).unwrap();
    let (channel, _server) = serve();
    let run = SpanIdentity::new_trace();

    let past = |identity: SpanIdentity, name: &str, error: Option<&str>| {
        let now = opentelemetry::time::now();
        PastSpan {
            identity,
            parent: (identity != run).then_some(run),
            name: name.to_owned(),
            started_at: now - Duration::from_secs(5),
            ended_at: now,
            attributes: vec![],
            error: error.map(ToOwned::to_owned),
            links: vec![],
        }
    };
    let works = run.sibling("works");
    assert!(works.around(execute(&channel, "act_works")).await.is_none());
    past(works, "attempt", None).record();
    let fails = run.sibling("fails");
    assert!(fails.around(execute(&channel, "act_fails")).await.is_some());
    PastSpan { links: vec![works], ..past(fails, "failed attempt", Some("line 7 is broken")) }.record();
    past(run, "pl_company_activity_daily", Some("stage act_fails failed")).record();
    tokio::task::spawn_blocking(|| telemetry.shutdown()).await.unwrap();

    let trace = collector.trace(&run.trace_id(), |trace| trace.spans().len() >= 13).await.unwrap();
    let method = "company_activity.stage.v1.StageService/ExecuteStage";
    let [root] = trace.roots()[..] else { panic!("several roots:\n{trace}") };
    assert_eq!((&*root.name, &*root.span_id), ("pl_company_activity_daily", &*run.span_id()));
    assert_eq!(root.error.as_deref(), Some("stage act_fails failed"));
    for (attempt, execution) in [("attempt", "execute act_works"), ("failed attempt", "execute act_fails")] {
        let [executed] = trace.named(execution)[..] else { panic!("{execution}:\n{trace}") };
        assert_eq!(
            trace.path(executed),
            ["pl_company_activity_daily", attempt, method, method, execution],
            "{trace}"
        );
        let [loaded] = trace.children(executed)[..] else { panic!("{execution}:\n{trace}") };
        assert_eq!(
            (loaded.name.as_str(), loaded.events.as_slice()),
            ("load file", &["working".to_owned()][..])
        );
        assert_eq!(executed.service, "scripted");
        let [statement] = trace.children(loaded)[..] else { panic!("{execution}:\n{trace}") };
        assert_eq!(statement.name, "INSERT stg_crm_companies");
        assert_eq!(statement.attributes["db.query.summary"], statement.name);
        assert_eq!(statement.attributes["db.system.name"], "sqlite");
        assert_eq!(statement.attributes["db.response.affected_rows"], "3");
    }
    let [worked] = trace.named("execute act_works")[..] else { panic!("{trace}") };
    assert_eq!(worked.attributes["pipeline.rows_read"], "3");
    assert_eq!(worked.attributes["pipeline.stage"], "act_works");
    assert_eq!(worked.error, None);
    let [broke] = trace.named("execute act_fails")[..] else { panic!("{trace}") };
    assert_eq!(broke.error.as_deref(), Some("line 7 is broken"));
    assert_eq!(broke.attributes["error.type"], "DATA_LOSS");
    let calls = trace.named(method);
    let statuses: Vec<&str> =
        calls.iter().map(|call| call.attributes["rpc.response.status_code"].as_str()).collect();
    assert_eq!(statuses, ["OK", "OK", "DATA_LOSS", "DATA_LOSS"], "{trace}");
    let [failed] = trace.named("failed attempt")[..] else { panic!("{trace}") };
    assert_eq!(failed.links, [works.span_id()]);
}
