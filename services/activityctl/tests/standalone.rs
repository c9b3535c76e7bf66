//! All services in one process, over sources of the sample world.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, net::SocketAddr, path::Path, process::Command as Process};

use activityctl::{
    commands::activity::rows,
    connect::Connection,
    standalone::{DataFolder, SuiteOptions, assemble},
};
use clap::{Args, Command, FromArgMatches};
use proto::{
    activity::v1::{
        ExportCompanyActivityRequest, company_activity_service_client::CompanyActivityServiceClient,
    },
    pipeline::v1::{
        Run, RunState, StageState, TriggerRunRequest, WatchRunRequest,
        pipeline_service_client::PipelineServiceClient,
    },
    stage::v1::{DateWindow, ExecuteStageRequest, stage_service_client::StageServiceClient},
};
use runtime::{Channel, Context, ServerOptions, serve};
use sample_sources::{
    ApiOptions, DefectRates, PRODUCT_USAGE_PATH, UsageBook, World, WorldOptions, serve_api,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

const COMPANIES: usize = 8;

/// A running standalone, and the product API it reads.
struct Standalone {
    address: SocketAddr,
    channel: Channel,
    context: Context,
    services: JoinHandle<anyhow::Result<()>>,
    data: TempDir,
}

impl Standalone {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(flags: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let context = Context::new();
        let api = start_sources(data.path(), &context).await;
        let url = format!("http://{api}{PRODUCT_USAGE_PATH}");
        let options = parse(&[&["--product-api-url", &url], flags].concat());
        let folder = DataFolder::open(data.path()).unwrap();
        let suite = assemble(options.with_defaults_in(&folder).unwrap(), &context).await.unwrap();
        let (listening, address) = oneshot::channel();
        let services = tokio::spawn(serve(suite, ServerOptions::default(), context.clone(), |address| {
            listening.send(address).unwrap();
        }));
        let address: SocketAddr = address.await.unwrap();
        let channel = runtime::channel::connect(&format!("http://{address}")).unwrap();
        Self { address, channel, context, services, data }
    }

    async fn run(&self, start: &str, end: &str) -> Run {
        let mut pipeline = PipelineServiceClient::new(self.channel.clone());
        let window = DateWindow { start_date: start.to_owned(), end_date: end.to_owned() };
        let request = TriggerRunRequest { window: Some(window), ..TriggerRunRequest::default() };
        let run_id = pipeline.trigger_run(request).await.unwrap().into_inner().run.unwrap().run_id;
        let mut changes = pipeline.watch_run(WatchRunRequest { run_id }).await.unwrap().into_inner();
        let mut last = Run::default();
        while let Some(change) = changes.message().await.unwrap() {
            last = change.run.unwrap();
        }
        last
    }

    async fn stop(self) {
        drop(self.channel);
        self.context.shutdown.cancel();
        self.services.await.unwrap().unwrap();
    }
}

async fn start_sources(folder: &Path, context: &Context) -> SocketAddr {
    let options =
        WorldOptions { companies: COMPANIES, days: 4, defects: DefectRates::NONE, ..WorldOptions::default() };
    let world = World::generate(options);
    world.write_to(folder, world.end()).unwrap();
    let book = UsageBook::new();
    world.fill(&book, world.end()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_api(listener, book, ApiOptions::default(), context.shutdown.clone()));
    address
}

fn parse(flags: &[&str]) -> SuiteOptions {
    let command = SuiteOptions::augment_args(Command::new("test").no_binary_name(true));
    SuiteOptions::from_arg_matches(&command.get_matches_from(flags)).unwrap()
}

#[tokio::test]
async fn a_location_that_cannot_be_used_is_reported_by_its_flag() {
    for (flag, url) in [
        ("--crm-url", "s3://bucket/crm/"),
        ("--landing-url", "/no/url"),
        ("--product-api-url", "api.example.com"),
        ("--slack-webhook-url", "hooks.slack.com/secret"),
    ] {
        let data = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(data.path()).unwrap();
        let mut flags = vec![flag, url];
        if flag != "--product-api-url" {
            flags.extend(["--product-api-url", "http://api.example.com/usage"]);
        }
        let options = parse(&flags).with_defaults_in(&folder).unwrap();
        let error = assemble(options, &Context::new()).await.unwrap_err();
        let message = format!("{error:#}");
        assert!(message.contains(flag) && !message.contains("secret"), "{flag}: {message}");
    }
}

#[tokio::test]
async fn a_pipeline_with_events_needs_to_know_where_they_are() {
    let pipeline = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/pipelines/with-events.yaml");
    let flags = ["--product-api-url", "http://api.example.com/usage", "--pipeline-file", pipeline];
    let data = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(data.path()).unwrap();
    let assemble = async |flags: &[&str]| {
        assemble(parse(flags).with_defaults_in(&folder).unwrap(), &Context::new()).await
    };
    let message = assemble(&flags).await.unwrap_err().to_string();
    assert!(message.contains("act_copy_events") && message.contains("--events-url"), "{message}");
    let events = folder.folder_url("events").unwrap();
    assemble(&[&flags[..], &["--events-url", &events]].concat()).await.unwrap();
    let message =
        format!("{:#}", assemble(&[&flags[..], &["--events-url", "events"]].concat()).await.unwrap_err());
    assert!(message.contains("--events-url cannot be used"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_triggered_run_publishes_its_days() {
    let standalone = Standalone::start().await;

    let run = standalone.run("2026-01-01", "2026-01-03").await;
    let stages: Vec<_> =
        run.stages.iter().map(|stage| (stage.state(), stage.error_message.as_str())).collect();
    assert_eq!(run.state(), RunState::Succeeded, "{stages:?}");
    assert!(run.stages.iter().all(|stage| stage.state() == StageState::Succeeded), "{stages:?}");

    let request = ExportCompanyActivityRequest {
        start_date: "2026-01-01".to_owned(),
        end_date: "2026-01-03".to_owned(),
        ..ExportCompanyActivityRequest::default()
    };
    let mut activity = CompanyActivityServiceClient::new(standalone.channel.clone());
    let mut batches = activity.export_company_activity(request).await.unwrap().into_inner();
    let mut rows = Vec::new();
    while let Some(batch) = batches.message().await.unwrap() {
        rows.extend(batch.activities);
    }
    for day in ["2026-01-01", "2026-01-02", "2026-01-03"] {
        assert!(rows.iter().any(|row| row.activity_date == day && row.events > 0), "{day}: {rows:?}");
    }

    standalone.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_are_not_published_are_distinguished_from_days_without_rows() {
    let standalone = Standalone::start().await;
    standalone.run("2026-01-01", "2026-01-01").await;
    let connection = Connection::through("standalone", standalone.channel.clone());
    let reported = async |company: &str, day: &str| {
        let request = ExportCompanyActivityRequest {
            company_id: company.to_owned(),
            start_date: day.to_owned(),
            end_date: day.to_owned(),
            ..ExportCompanyActivityRequest::default()
        };
        let answer = rows(&connection, request, 1).await.unwrap();
        (answer.rows.len(), answer.exported.is_published)
    };
    assert_eq!(reported("", "2026-01-01").await, (1, true));
    assert_eq!(reported("nobody", "2026-01-01").await, (0, true));
    assert_eq!(reported("", "2026-01-02").await, (0, false));
    drop(connection);
    standalone.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_serves_every_contract() {
    let standalone = Standalone::start().await;
    let mut health = HealthClient::new(standalone.channel.clone());
    for service in [
        "",
        "company_activity.activity.v1.CompanyActivityService",
        "company_activity.notifier.v1.NotifierService",
        "company_activity.pipeline.v1.PipelineService",
        "company_activity.quarantine.v1.QuarantineService",
        "company_activity.reconciliation.v1.ReconciliationService",
        "company_activity.stage.v1.StageService",
    ] {
        let status = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(status.into_inner().status(), ServingStatus::Serving, "{service}");
    }
    standalone.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_of_no_run_is_refused_whichever_service_executes_it() {
    let standalone = Standalone::start().await;
    let mut stages = StageServiceClient::new(standalone.channel.clone());
    let day = "2026-01-01".to_owned();
    for stage in [
        "act_copy_crm_csv",
        "act_call_product_api",
        "df_build_fact_company_activity",
        "act_validate_row_counts",
    ] {
        let request = ExecuteStageRequest {
            run_id: "01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11".to_owned(),
            pipeline: "pl_company_activity_daily".to_owned(),
            stage: stage.to_owned(),
            window: Some(DateWindow { start_date: day.clone(), end_date: day.clone() }),
            attempt: 1,
            lease_epoch: 1,
            accept_empty_days: Vec::new(),
        };
        let mut messages = stages.execute_stage(request).await.unwrap().into_inner();
        let refusal = loop {
            match messages.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{stage} succeeded"),
                Err(status) => break status,
            }
        };
        assert_eq!(refusal.code(), Code::FailedPrecondition, "{stage}: {refusal:?}");
    }
    let freshness = CompanyActivityServiceClient::new(standalone.channel.clone())
        .get_freshness(proto::activity::v1::GetFreshnessRequest {})
        .await
        .unwrap();
    assert!(freshness.into_inner().newest.is_none());
    standalone.stop().await;
}

/// What `activityctl explain` prints.
async fn explain(standalone: &Standalone, company: &str, format: &str) -> String {
    let server = format!("http://{}", standalone.address);
    let arguments = ["explain", company, "--date", "2026-01-03", "--format", format, "--server", &server];
    let arguments = arguments.map(str::to_owned);
    let command = move || Process::new(env!("CARGO_BIN_EXE_activityctl")).args(arguments).output().unwrap();
    let output = tokio::task::spawn_blocking(command).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_names_the_line_and_page_that_the_number_stands_on() {
    let standalone = Standalone::start_with(&["--page-size", "2"]).await;
    assert_eq!(standalone.run("2026-01-01", "2026-01-03").await.state(), RunState::Succeeded);
    let path = "product_usage/2026-01-03/usage_2026-01-03.json";
    let landed = fs::read_to_string(standalone.data.path().join("landing").join(path)).unwrap();
    let number = landed.lines().count();
    let page = number.div_ceil(2);
    assert!(page > 1, "{landed}");
    let record: serde_json::Value = serde_json::from_str(landed.lines().last().unwrap()).unwrap();
    let company = record["company_id"].as_str().unwrap();

    let json: serde_json::Value = serde_json::from_str(&explain(&standalone, company, "json").await).unwrap();
    assert_eq!((&json["standing"], &json["agreement"]), (&"PUBLISHED".into(), &"EQUAL".into()));
    let day = json["days"].as_array().unwrap().last().unwrap();
    assert_eq!((&day["date"], &day["fetch"]["landing_path"]), (&"2026-01-03".into(), &path.into()));
    let line = &day["lines"][0];
    assert_eq!(
        (&line["line"], &line["page"], &line["use"]),
        (&number.into(), &page.into(), &"COUNTS".into())
    );
    for number in ["active_users", "events"] {
        assert_eq!(line["numbers"][number], record[number], "{line}");
        assert_eq!(json["published"][number], record[number]);
    }
    let cells = json["cells"].as_array().unwrap();
    let rolling = cells.iter().find(|cell| cell["column"] == "7d_active_users").unwrap();
    let parts = rolling["parts"].as_array().unwrap();
    let sum: i64 = parts.iter().filter_map(|part| part["number"].as_i64()).sum();
    assert_eq!((parts.len(), &json["published"]["7d_active_users"]), (7, &sum.into()));
    let export = json["crm_version"]["export_path"].as_str().unwrap();
    let exported = fs::read_to_string(standalone.data.path().join("crm/daily").join(export)).unwrap();
    assert!(exported.contains(company), "{export}");
    assert_eq!(json["changes"][0]["kind"], "FIRST_PUBLISHED");

    let words = explain(&standalone, company, "words").await;
    assert!(words.contains(&format!("{path} line {number}, page {page}")), "{words}");
    standalone.stop().await;
}
