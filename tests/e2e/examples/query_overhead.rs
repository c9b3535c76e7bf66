//! Measures what asking callers who they are costs their queries: the same calls to two
//! processes of `activity` on one database, one with TLS that asks for a client certificate and
//! a token, one that speaks plain text to everybody. Both are measured in turn, in rounds, so
//! that a machine that is busier at noon is busier for both. `make bench-query` runs it on
//! optimised binaries.

use std::{env, fs, time::Instant};

use anyhow::{Context as _, Result, ensure};
use domain::DateWindow;
use e2e::{
    binaries::Build,
    issuer::{Issuer, Signer},
    process::{ANY_PORT, Process},
    settings::{Layout, Settings},
    suite::Suite,
    volume::{Authority, Volume},
};
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
const ROUNDS: usize = 21;

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
        [(Self::Get, "get by key", 400), (Self::List, "list page", 40), (Self::Export, "export", 2)];
}

/// One of the two processes, and its callers.
struct Side {
    callers: Vec<Caller>,
    _process: Process,
    /// The process looks at its certificate again and again.
    _certificate: Option<Volume>,
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

/// Seconds: of one round, and of the median call in it.
#[derive(Debug, Clone, Copy)]
struct Figures {
    round: f64,
    call: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let companies = env::args().nth(1).map_or(Ok(2_000), |count| count.parse())?;
    let database = Database::create().await?;
    let world = World::generate(WorldOptions { companies, days: DAYS, ..WorldOptions::default() });
    let target = publish(&world, &database).await?;
    let folder = tempfile::tempdir()?;
    let (proven, open) = (proven(&database, &folder).await?, open(&database).await?);
    say(&format!(
        "{companies} companies, {DAYS} days on Postgres; {CALLERS} callers at once; medians of {ROUNDS} rounds"
    ));
    say("                 throughput (calls/s)         time of a call (p50, ms)     ratios of");
    say("                 proven       open            proven       open            round  call");
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

/// Publishes the sample's days.
async fn publish(world: &World, database: &Database) -> Result<Target> {
    let suite = Suite::start(Layout::Standalone, Settings::default().warehouse(database.url())).await?;
    suite.sources.put_world(world, world.end())?;
    let days: Vec<_> = world.days().collect();
    let window = DateWindow::new(*days.first().context("no days")?, *days.last().context("no days")?)?;
    suite.publish(window).await?;
    let request = list_request(DateWindow::day(window.end()));
    let listed = suite.activity()?.list_company_activity(request).await?.into_inner();
    let companies = listed.activities.into_iter().map(|activity| activity.company_id).collect();
    Ok(Target { companies, window })
}

async fn activity(database: &Database, flags: &[(&str, String)]) -> Result<Process> {
    let mut arguments = vec!["--warehouse-url".to_owned(), database.url()];
    arguments.extend(flags.iter().flat_map(|(flag, value)| [(*flag).to_owned(), value.clone()]));
    Process::start(Build::Current, "activity", ANY_PORT, arguments, &[]).await
}

async fn proven(database: &Database, folder: &TempDir) -> Result<Side> {
    let signer = Signer::new("key")?;
    let issuer = Issuer::start(&[&signer]).await?;
    let (servers, clients) = (Authority::new("servers")?, Authority::new("clients")?);
    let server = Volume::new(&servers.for_loopback()?, &clients.pem())?;
    let policy = folder.path().join("access.yaml");
    fs::write(&policy, issuer.policy())?;
    let file = |name: &str| server.file(name).display().to_string();
    let flags = [
        ("--access-file", policy.display().to_string()),
        ("--tls-cert-file", file("tls.crt")),
        ("--tls-key-file", file("tls.key")),
        ("--tls-client-ca-file", file("ca.crt")),
    ];
    let process = activity(database, &flags).await?;
    let endpoint = Endpoint::from_shared(format!("https://{}", process.address()))?;
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
    Ok(Side { callers, _process: process, _certificate: Some(server) })
}

async fn open(database: &Database) -> Result<Side> {
    let process = activity(database, &[]).await?;
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let channel = Endpoint::from_shared(process.url())?.tcp_nodelay(true).connect().await?;
        callers.push(Caller { client: CompanyActivityServiceClient::new(channel), authorization: None });
    }
    Ok(Side { callers, _process: process, _certificate: None })
}

/// Every caller's calls, as fast as they are answered.
async fn round(side: &Side, query: Query, target: &Target, calls: usize) -> Result<Figures> {
    let began = Instant::now();
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
    Ok(Figures { round: began.elapsed().as_secs_f64(), call: median(times) })
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
    let all = |figures: &[Figures], of: fn(&Figures) -> f64| median(figures.iter().map(of).collect());
    #[expect(clippy::cast_precision_loss, reason = "a few hundred calls")]
    let throughput = |figures: &[Figures]| (calls * CALLERS) as f64 / all(figures, |one| one.round);
    let milliseconds = |figures: &[Figures]| all(figures, |one| one.call) * 1_000.0;
    // Of the two halves of each round, which met the same machine.
    let ratio = |of: fn(&Figures) -> f64| {
        median(proven.iter().zip(open).map(|(proven, open)| of(proven) / of(open)).collect())
    };
    let (of_round, of_call) = (ratio(|one| one.round), ratio(|one| one.call));
    say(&format!(
        "{name:12}  {:9.1}  {:9.1}            {:9.2}  {:9.2}            {of_round:5.3}  {of_call:5.3}",
        throughput(proven),
        throughput(open),
        milliseconds(proven),
        milliseconds(open),
    ));
    of_round <= AIM && of_call <= AIM
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::print_stdout, reason = "a benchmark's result")]
fn say(line: &str) {
    println!("{line}");
}
