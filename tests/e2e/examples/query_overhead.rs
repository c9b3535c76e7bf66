//! Measures what asking callers who they are costs their queries: the same calls to two suites
//! on one database, one with TLS that asks for a client certificate and a token, one that speaks
//! plain text to everybody. Both are measured in turn, in rounds, so
//! that a machine that is busier at noon is busier for both. `make bench-proof` runs it on
//! optimised binaries.

use std::{env, fs, time::Instant};

use anyhow::{Context as _, Result, ensure};
use domain::DateWindow;
use e2e::{
    benchmark::processor_seconds,
    issuer::{Issuer, Signer},
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    volume::{Authority, Volume},
};
use figures::{median, say};
use futures::future::try_join_all;
use proto::activity::v1::{
    ExportCompanyActivityRequest, GetCompanyActivityRequest, ListCompanyActivityRequest,
    company_activity_service_client::CompanyActivityServiceClient,
};
use sample_sources::{World, WorldOptions};
use tempfile::TempDir;
use test_postgres::Database;
use tls::ConnectOptions;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

const DAYS: u32 = 30;

/// An odd number has a middle.
const ROUNDS: usize = 15;

/// Callers at the same time; each has a connection.
const CALLERS: usize = 4;

/// The most that proof may cost: the ratio of a round's figures with it to those without.
const AIM: f64 = 1.15;

/// Rows of a page.
const PAGE: i32 = 1000;

#[derive(Debug, Clone, Copy)]
enum Query {
    Get,
    List,
    Export,
}

impl Query {
    const ALL: [(Self, &'static str, usize); 3] =
        [(Self::Get, "get by key", 200), (Self::List, "list page", 20), (Self::Export, "export", 1)];
}

/// One of the two suites, and its callers.
struct Side {
    callers: Vec<Caller>,
    process: u32,
    _suite: Suite,
    /// The suite looks at its certificate and policy again and again.
    _files: Option<(Volume, TempDir)>,
}

#[derive(Clone)]
struct Caller {
    client: CompanyActivityServiceClient<Channel>,
    authorization: Option<MetadataValue<Ascii>>,
}

/// What the queries ask for.
struct Target {
    companies: Vec<String>,
    window: DateWindow,
}

/// Seconds: of one round, of the median call in it, and of the server's processor.
#[derive(Debug, Clone, Copy)]
struct Figures {
    round: f64,
    call: f64,
    processor: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let companies = env::args().nth(1).map_or(Ok(2_000), |count| count.parse())?;
    let database = Database::create().await?;
    let world = World::generate(WorldOptions { companies, days: DAYS, ..WorldOptions::default() });
    let settings = Settings::default().warehouse(database.url());
    let (target, open) = open(&world, settings.clone()).await?;
    let proven = proven(settings).await?;
    say(&format!(
        "{companies} companies, {DAYS} days on Postgres; {CALLERS} callers at once; medians of {ROUNDS} rounds"
    ));
    say(
        "              throughput (calls/s)   call (p50, ms)      server's processor (ms)   ratios: proven / open",
    );
    say(
        "              proven      open       proven    open      proven    open            time   p50    processor",
    );
    let mut is_met = true;
    for (query, name, calls) in Query::ALL {
        // Connections and caches are warm before anything counts.
        round(&proven, query, &target, calls).await?;
        round(&open, query, &target, calls).await?;
        let mut figures = [Vec::new(), Vec::new()];
        for turn in 0..ROUNDS {
            let order = if turn % 2 == 0 { [0, 1] } else { [1, 0] };
            for side in order {
                let measured = round([&proven, &open][side], query, &target, calls).await?;
                figures[side].push(measured);
            }
        }
        is_met &= report(name, calls, &figures);
    }
    say(&format!("aim: at most {AIM}: {}", if is_met { "met" } else { "missed" }));
    Ok(())
}

/// Publishes the sample's days, for both sides.
async fn publish(world: &World, suite: &Suite) -> Result<Target> {
    suite.sources.put_world(world, world.end())?;
    let days: Vec<_> = world.days().collect();
    let window = DateWindow::new(*days.first().context("no days")?, *days.last().context("no days")?)?;
    suite.publish(window).await?;
    let request = list_request(DateWindow::day(window.end()));
    let listed = suite.activity()?.list_company_activity(request).await?.into_inner();
    let companies = listed.activities.into_iter().map(|activity| activity.company_id).collect();
    Ok(Target { companies, window })
}

async fn open(world: &World, settings: Settings) -> Result<(Target, Side)> {
    let mut suite = Suite::start(Layout::Standalone, settings).await?;
    let target = publish(world, &suite).await?;
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let endpoint = Endpoint::from_shared(suite.url_of("activity")?)?;
        let client = CompanyActivityServiceClient::new(endpoint.tcp_nodelay(true).connect().await?);
        callers.push(Caller { client, authorization: None });
    }
    let process = suite.process(ACTIVITYCTL)?.id()?;
    Ok((target, Side { callers, process, _suite: suite, _files: None }))
}

async fn proven(settings: Settings) -> Result<Side> {
    let signer = Signer::new("key")?;
    let issuer = Issuer::start(&[&signer]).await?;
    let (servers, clients) = (Authority::new("servers")?, Authority::new("clients")?);
    let (server, folder) = (Volume::new(&servers.for_loopback()?, &clients.pem())?, tempfile::tempdir()?);
    let policy = folder.path().join("access.yaml");
    fs::write(&policy, issuer.policy())?;
    let file = |name: &str| server.file(name).display().to_string();
    let settings = settings
        .with_tls()
        .variable("ACCESS_FILE", &policy.display().to_string())
        .variable("TLS_CERT_FILE", &file("tls.crt"))
        .variable("TLS_KEY_FILE", &file("tls.key"))
        .variable("TLS_CLIENT_CA_FILE", &file("ca.crt"));
    let mut suite = Suite::start(Layout::Standalone, settings).await?;
    let endpoint = Endpoint::from_shared(suite.url_of("activity")?)?;
    let mut callers = Vec::new();
    for number in 0..CALLERS {
        let own = clients.for_id(&format!("spiffe://company/caller/{number}"))?;
        let tls = Volume::new(&own, &servers.pem())?.client()?;
        let channel = endpoint.connect_with_connector(tls.connector(&ConnectOptions::default())).await?;
        let token = signer.sign(&issuer.claims(&number.to_string()))?;
        callers.push(Caller {
            client: CompanyActivityServiceClient::new(channel),
            authorization: Some(format!("Bearer {token}").parse()?),
        });
    }
    let process = suite.process(ACTIVITYCTL)?.id()?;
    Ok(Side { callers, process, _suite: suite, _files: Some((server, folder)) })
}

/// Every caller's calls, as fast as they are answered.
async fn round(side: &Side, query: Query, target: &Target, calls: usize) -> Result<Figures> {
    let (began, worked) = (Instant::now(), processor_seconds(side.process)?[0]);
    let callers = side.callers.iter().enumerate().map(async |(number, caller)| {
        let mut times = Vec::with_capacity(calls);
        for call in 0..calls {
            let began = Instant::now();
            caller.call(query, target, number + call * CALLERS).await?;
            times.push(began.elapsed().as_secs_f64());
        }
        anyhow::Ok(times)
    });
    let times = try_join_all(callers).await?.concat();
    let processor = processor_seconds(side.process)?[0] - worked;
    Ok(Figures { round: began.elapsed().as_secs_f64(), call: median(times), processor })
}

impl Caller {
    async fn call(&self, query: Query, target: &Target, number: usize) -> Result<()> {
        let mut client = self.client.clone();
        match query {
            Query::Get => {
                let company_id = target.companies[number % target.companies.len()].clone();
                let activity_date = target.window.end().to_string();
                let request = self.request(GetCompanyActivityRequest { company_id, activity_date });
                let answer = client.get_company_activity(request).await?.into_inner();
                ensure!(answer.activity.is_some(), "an answer without a row");
            }
            Query::List => {
                let request = self.request(list_request(target.window));
                let answer = client.list_company_activity(request).await?.into_inner();
                ensure!(!answer.activities.is_empty(), "an empty page");
            }
            Query::Export => {
                let (start_date, end_date) =
                    (target.window.start().to_string(), target.window.end().to_string());
                let request =
                    self.request(ExportCompanyActivityRequest { start_date, end_date, ..Default::default() });
                let mut stream = client.export_company_activity(request).await?.into_inner();
                let mut rows = 0;
                while let Some(chunk) = stream.message().await? {
                    rows += chunk.activities.len();
                }
                ensure!(rows > 0, "an empty export");
            }
        }
        Ok(())
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }
}

fn list_request(window: DateWindow) -> ListCompanyActivityRequest {
    let (start_date, end_date) = (window.start().to_string(), window.end().to_string());
    ListCompanyActivityRequest { start_date, end_date, page_size: PAGE, ..Default::default() }
}

/// Prints a line; whether the aim is met.
fn report(name: &str, calls: usize, [proven, open]: &[Vec<Figures>; 2]) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred calls")]
    let calls = (calls * CALLERS) as f64;
    let middle = |figures: &[Figures], of: fn(&Figures) -> f64| median(figures.iter().map(of).collect());
    let throughput = |figures: &[Figures]| calls / middle(figures, |one| one.round);
    let milliseconds = |figures: &[Figures]| middle(figures, |one| one.call) * 1_000.0;
    // Summed: the ticks of one round are coarse.
    let worked = |figures: &[Figures]| figures.iter().map(|one| one.processor).sum::<f64>();
    #[expect(clippy::cast_precision_loss, reason = "a few rounds")]
    let per_call = |figures: &[Figures]| worked(figures) * 1_000.0 / (calls * figures.len() as f64);
    // Of the two halves of each round, which met the same machine.
    let ratio = |of: fn(&Figures) -> f64| {
        median(proven.iter().zip(open).map(|(proven, open)| of(proven) / of(open)).collect())
    };
    let (of_round, of_call) = (ratio(|one| one.round), ratio(|one| one.call));
    say(&format!(
        "{name:12}  {:8.1}  {:8.1}   {:7.2}  {:7.2}   {:7.3}  {:7.3}         {of_round:5.3}  {of_call:5.3}  {:5.3}",
        throughput(proven),
        throughput(open),
        milliseconds(proven),
        milliseconds(open),
        per_call(proven),
        per_call(open),
        worked(proven) / worked(open),
    ));
    of_round <= AIM && of_call <= AIM
}
