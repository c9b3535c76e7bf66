//! Who may call which service of a suite that asks.

use std::{fs, future::poll_fn, path::PathBuf};

use access::{Admission, Role, admission};
use anyhow::{Context as _, Result, bail, ensure};
use domain::{DateWindow, run::STAGE_COPY_CRM_CSV};
use e2e::{
    alerts::AlertReceiver,
    cli, in_time,
    runs::stage,
    secured::{Secured, text},
    services,
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    vectors::Vector,
    workspace_root,
};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use proto::pipeline::v1::{
    GetRunRequest, ListRunsRequest, Run, pipeline_service_client::PipelineServiceClient,
};
use tokio::process::Command;
use tonic::{
    Code, Request, Status,
    body::Body,
    client::GrpcService,
    codegen::http,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

fn bearer(secured: &Secured, name: &str) -> Result<MetadataValue<Ascii>> {
    let token = fs::read_to_string(secured.token_file(name))?;
    Ok(format!("Bearer {token}").parse()?)
}

/// The newest run.
async fn newest_run(suite: &Suite, secured: &Secured) -> Result<Run> {
    let channel = secured.channel(suite.url_of("coordinator")?, "ca.crt")?;
    let authorization = bearer(secured, "operator")?;
    let mut client = PipelineServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", authorization.clone());
        Ok(request)
    });
    let listed = client.list_runs(ListRunsRequest { page_size: 1, ..ListRunsRequest::default() }).await?;
    let run_id = listed.into_inner().runs.first().context("there is no run")?.run_id.clone();
    client.get_run(GetRunRequest { run_id }).await?.into_inner().run.context("no run")
}

async fn a_day_is_published_and_a_failure_alerts(layout: Layout) -> Result<()> {
    let (secured, receiver) = (Secured::new()?, AlertReceiver::start().await?);
    let settings = secured.settings().flag("notifier", "--webhook-url", &receiver.url("/alerts"));
    let suite = Suite::start(layout, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)?;

    let next_day = DateWindow::day(vector.window.end().succ_opt().context("no day after")?);
    let name = format!("companies_{}.csv", next_day.end());
    suite.sources.put_export(&name, "company_id,name,country,industry_tag,last_contact_at\nacme,\"\n")?;
    assert!(suite.publish(next_day).await.is_err(), "a broken export was published");
    receiver.wait_for("/alerts", 1).await?;
    let run = newest_run(&suite, &secured).await?;
    assert_eq!(stage(&run, STAGE_COPY_CRM_CSV)?.error_code, "DATA_LOSS", "{run:#?}");

    // Each service knows by name who has called it, and the run who asked for it.
    assert_eq!(run.requested_by, "token:person");
    let log = suite.log_of("coordinator")?;
    assert!(log.contains("token:person") && log.contains("PipelineService/TriggerRun"), "{log}");
    if layout == Layout::Separate {
        for service in ["ingest-crm", "ingest-api", "transform", "notifier"] {
            assert!(suite.log_of(service)?.contains("token:coordinator"), "{service}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_day_runs_end_to_end_among_services_that_ask_each_other_who_they_are() -> Result<()> {
    a_day_is_published_and_a_failure_alerts(Layout::Separate).await
}

#[tokio::test]
async fn one_process_asks_at_its_port_and_not_within_itself() -> Result<()> {
    a_day_is_published_and_a_failure_alerts(Layout::Standalone).await
}

/// Every method of the contracts, as `package.Service/Method`.
pub(crate) fn methods() -> Result<Vec<String>> {
    let mut methods = Vec::new();
    for file in FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET)?.file {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            methods.extend(service.method.iter().map(|method| format!("{name}/{}", method.name())));
        }
    }
    Ok(methods)
}

/// The services that serve a method.
pub(crate) fn hosts(method: &str) -> Result<Vec<&'static str>> {
    let (service, _) = method.rsplit_once('/').unwrap_or_default();
    Ok(match service.rsplit('.').next().unwrap_or_default() {
        "AccessService" => services::always(),
        "PipelineService" | "MonitoringService" | "QuarantineService" => vec!["coordinator"],
        "ProvenanceService" => vec!["coordinator", "ingest-api"],
        "ReconciliationService" => vec!["ingest-api"],
        "NotifierService" => vec!["notifier"],
        "CompanyActivityService" => vec!["activity"],
        "StageService" => {
            services::always().into_iter().filter(|service| services::has_stages(service)).collect()
        }
        _ => bail!("{method}: which process serves it?"),
    })
}

/// What a call with a message that cannot be decoded comes to: whoever is let in learns that,
/// and nothing is done.
pub(crate) async fn call(
    mut channel: Channel,
    method: &str,
    token: Option<&MetadataValue<Ascii>>,
) -> Result<Status> {
    let message = Body::new("\0\0\0\0\u{1}\u{7}".to_owned());
    let mut request = http::Request::post(format!("/{method}")).body(message)?;
    request.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert("te", http::HeaderValue::from_static("trailers"));
    if let Some(token) = token {
        request.headers_mut().insert("authorization", http::HeaderValue::from_str(token.to_str()?)?);
    }
    poll_fn(|context| GrpcService::<Body>::poll_ready(&mut channel, context)).await?;
    let response = GrpcService::call(&mut channel, request).await?;
    let status = Status::from_header_map(response.headers());
    status.with_context(|| format!("{method} has not ended at once"))
}

async fn each_method_opens_to_its_roles_alone(layout: Layout) -> Result<()> {
    let secured = Secured::new()?;
    let suite = Suite::start(layout, secured.settings()).await?;
    let mut checked = 0;
    for method in methods()? {
        let admission = admission(&format!("/{method}"));
        let opens_to = |role: Option<Role>| match admission {
            Some(Admission::AnyCaller) => true,
            Some(Admission::Roles(roles)) => role.is_some_and(|role| roles.contains(&role)),
            _ => false,
        };
        ensure!(
            Role::ALL.into_iter().any(|role| opens_to(Some(role))),
            "{method} has no role: decide who may call it, in crates/access/src/methods.rs"
        );
        for host in hosts(&method)? {
            let channel = secured.channel(suite.url_of(host)?, "ca.crt")?;
            let answer = call(channel.clone(), &method, None).await?.code();
            assert_eq!(answer, Code::Unauthenticated, "{host} {method}");
            let unknown = format!("Bearer activity_{}", "0".repeat(64)).parse()?;
            let answer = call(channel.clone(), &method, Some(&unknown)).await?.code();
            assert_eq!(answer, Code::Unauthenticated, "{host} {method}");
            let answer = call(channel.clone(), &method, Some(&bearer(&secured, "nobody")?)).await?.code();
            assert_eq!(answer == Code::PermissionDenied, !opens_to(None), "{host} {method}: {answer:?}");
            for role in Role::ALL {
                let token = bearer(&secured, role.name())?;
                let answer = call(channel.clone(), &method, Some(&token)).await?.code();
                assert_ne!(answer, Code::Unauthenticated, "{host} {method} as {role}");
                let is_denied = answer == Code::PermissionDenied;
                assert_eq!(is_denied, !opens_to(Some(role)), "{host} {method} as {role}: {answer:?}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 18 * Role::ALL.len(), "only {checked} calls");
    Ok(())
}

#[tokio::test]
async fn each_method_of_each_process_opens_to_its_roles_alone() -> Result<()> {
    each_method_opens_to_its_roles_alone(Layout::Separate).await
}

#[tokio::test]
async fn each_method_of_one_process_opens_to_its_roles_alone() -> Result<()> {
    each_method_opens_to_its_roles_alone(Layout::Standalone).await
}

#[tokio::test]
async fn a_person_who_is_not_let_in_learns_what_to_do() -> Result<()> {
    let secured = Secured::new()?;
    let suite = Suite::start(Layout::Standalone, secured.settings()).await?;
    let (url, ca) = (suite.url_of("coordinator")?, secured.file("ca.crt"));
    let audit_log = async |token: Option<PathBuf>| -> Result<String> {
        let mut arguments = vec!["audit-log", "--server", &url, "--tls-ca-file", text(&ca)?];
        if let Some(token) = &token {
            arguments.extend(["--token-file", text(token)?]);
        }
        let outcome = cli::run(ACTIVITYCTL, &arguments, &[]).await?;
        assert_eq!(outcome.code, 1, "{outcome:?}");
        Ok(outcome.stderr)
    };
    let stderr = audit_log(None).await?;
    assert!(stderr.contains("UNAUTHENTICATED") && stderr.contains("--token-file"), "{stderr}");
    let stderr = audit_log(Some(secured.token_file("reader"))).await?;
    assert!(stderr.contains("token:reader may not call"), "{stderr}");
    assert!(stderr.contains("that takes the role operator (PERMISSION_DENIED)"), "{stderr}");
    let stderr = audit_log(Some(secured.file("none.token"))).await?;
    assert!(stderr.contains("cannot read the token file"), "{stderr}");
    Ok(())
}

#[tokio::test]
async fn a_coordinator_that_is_not_let_in_says_so_in_its_run() -> Result<()> {
    let secured = Secured::new()?;
    let token = secured.token_file("nobody");
    let settings = secured.settings().flag("coordinator", "--token-file", text(&token)?);
    let suite = Suite::start(Layout::Separate, settings).await?;
    let vector = Vector::gaps()?;
    assert!(suite.publish(vector.window).await.is_err(), "the coordinator was let in");
    let run = newest_run(&suite, &secured).await?;
    let failed = stage(&run, STAGE_COPY_CRM_CSV)?;
    assert_eq!((failed.error_code.as_str(), failed.attempt), ("PERMISSION_DENIED", 1), "{run:#?}");
    let expected = "ingest-crm does not let the coordinator in: token:nobody may not call";
    assert!(failed.error_message.starts_with(expected), "{}", failed.error_message);
    Ok(())
}

#[tokio::test]
async fn the_tokens_of_the_compose_file_open_what_its_policy_grants() -> Result<()> {
    let (access, tokens) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let make = async || -> Result<String> {
        let made = Command::new("node")
            .arg(workspace_root().join("docker/tokens.mjs"))
            .args([access.path(), tokens.path()])
            .args(["coordinator", "person"])
            .output();
        let made = in_time("the tokens", made).await??;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Ok(fs::read_to_string(access.path().join("tokens"))?)
    };
    let hashes = make().await?;
    assert_eq!(make().await?, hashes, "a second start has made other tokens");

    let policy = fs::read_to_string(workspace_root().join("docker/access.yaml"))?;
    let own = policy.replace("/access/", &format!("{}/", text(access.path())?));
    assert_ne!(own, policy);
    let file = access.path().join("access.yaml");
    fs::write(&file, own)?;
    let (coordinator, person) = (tokens.path().join("coordinator"), tokens.path().join("person"));
    let settings = Settings::default()
        .variable("ACCESS_FILE", text(&file)?)
        .variable("TOKEN_FILE", text(&coordinator)?)
        .client_variable("TOKEN_FILE", text(&person)?);
    let suite = Suite::start(Layout::Separate, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}

#[tokio::test]
async fn a_server_that_others_would_reach_does_not_start_without_asking_who_they_are() -> Result<()> {
    for program in
        [vec!["activity"], vec![ACTIVITYCTL, "standalone", "--product-api-url", "http://127.0.0.1:1"]]
    {
        let folder = tempfile::tempdir()?;
        let (data, warehouse) = (folder.path().join("data"), folder.path().join("warehouse.sqlite"));
        let warehouse = format!("sqlite://{}", warehouse.display());
        let mut arguments =
            [&program[1..], &["--listen", "0.0.0.0:0", "--warehouse-url", &warehouse]].concat();
        if program.len() > 1 {
            arguments.extend(["--data-dir", text(&data)?]);
        }
        let outcome = cli::run(program[0], &arguments, &[]).await?;
        assert_eq!(outcome.code, 1, "{outcome:?}");
        for way_out in ["--access-file", "--allow-unauthenticated"] {
            assert!(outcome.stderr.contains(way_out), "{}", outcome.stderr);
        }
        assert!(!outcome.stdout.contains("listening"), "{}", outcome.stdout);
    }
    Ok(())
}
