//! What becomes of a valid caller, and of the server's memory, while somebody abuses it.
//!
//! The valid caller is measured undisturbed right before each abuse, and during it. So these
//! tests run alone: another test that begins or ends in between would count as abuse.
//! `E2E_ABUSE=full` (`make test-abuse`) abuses ten times as much, and prints what it measured.

use std::{env, fs, time::Duration};

use anyhow::{Context as _, Result};
use domain::DateWindow;
use e2e::{
    abuse::{Abuser, allow_sockets},
    binaries::Build,
    memory,
    process::{ANY_PORT, Process},
    secured::{Secured, text},
    suite::Suite,
    valid_caller::{Latencies, ValidCaller},
};
use figures::say;
use proto::activity::v1::{GetCompanyActivityRequest, ListCompanyActivityRequest};
use sample_sources::{World, WorldOptions};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// What the server may use, whatever is done to it. It needs 35 MiB for itself, about 80 for
/// 2,048 connections, and 20 for what waits in the buffers of unread streams.
const MOST_MEMORY: u64 = 192 * 1024 * 1024;

/// How much slower the slowest hundredth of a valid caller's calls may become.
const MOST_SLOWDOWN: u32 = 10;

/// The baseline is at least this. The abuser shares the machine with the server: where every
/// core has work, a process waits for its turn for some milliseconds, however little it asks
/// for, and below that the ratio would measure the scheduler.
const FLOOR: Duration = Duration::from_millis(10);

/// How much abuse there is.
struct Amount {
    is_full: bool,
}

impl Amount {
    fn of_environment() -> Self {
        Self { is_full: env::var("E2E_ABUSE").is_ok_and(|amount| amount == "full") }
    }

    const fn of(&self, bounded: usize, full: usize) -> usize {
        if self.is_full { full } else { bounded }
    }

    /// Idle connections: as many as this process may have sockets.
    fn idle(&self) -> Result<usize> {
        let wanted = self.of(3_000, 10_000);
        let allowed = usize::try_from(allow_sockets(wanted as u64 + 500)?)?;
        let number = wanted.min(allowed - 500);
        if number < wanted {
            say(&format!("{number} idle connections instead of {wanted}: the machine allows no more"));
        }
        Ok(number)
    }
}

/// A server over published data, somebody who reads it, and somebody who abuses it.
struct Scene {
    process: Process,
    caller: ValidCaller,
    abuser: Abuser,
    url: String,
    amount: Amount,
    baseline: Duration,
    secured: Secured,
    // It owns the warehouse.
    _suite: Suite,
}

impl Scene {
    async fn prepare(with_tls: bool) -> Result<Self> {
        // Several messages of an export, so that one that is not read stays open.
        let world = World::generate(WorldOptions { companies: 1_500, days: 6, ..WorldOptions::default() });
        let mut suite = Suite::standalone().await?;
        suite.sources.put_world(&world, world.end())?;
        let (first, last) = (world.days().next(), world.days().last());
        suite.publish(DateWindow::new(first.context("no days")?, last.context("no days")?)?).await?;
        let asked = a_company_day(&suite).await?;
        suite.process("activity")?.kill().await?;

        let secured = Secured::new()?;
        let access_file = secured.file("access.yaml");
        let warehouse = suite.warehouse_url();
        let mut arguments = vec!["--warehouse-url", &warehouse, "--access-file", text(&access_file)?];
        let (certificate, key) = (secured.file("tls.crt"), secured.file("tls.key"));
        if with_tls {
            arguments.extend(["--tls-cert-file", text(&certificate)?, "--tls-key-file", text(&key)?]);
        }
        let process = Process::start(Build::Current, "activity", ANY_PORT, arguments, &[]).await?;
        let url = if with_tls { format!("https://{}", process.address()) } else { process.url() };
        let token = |name| fs::read_to_string(secured.token_file(name));
        let abuser = Abuser { server: process.address(), token: token("person")? };
        let channel = channel(&secured, &url)?;
        let mut caller = ValidCaller::new(channel, token("reader")?, asked);
        // The first calls find nothing cached.
        caller.measure(async {}).await?;
        let amount = Amount::of_environment();
        Ok(Self { process, caller, abuser, url, amount, baseline: FLOOR, secured, _suite: suite })
    }

    /// Measures the valid caller during an abuse, and asserts that it hardly notices.
    async fn during<T>(&mut self, abuse: &str, disturbance: impl Future<Output = T>) -> Result<T> {
        let (undisturbed, ()) = self.caller.measure(async {}).await?;
        report("undisturbed", &undisturbed, &self.process)?;
        self.baseline = undisturbed.percentile(99).max(FLOOR);
        self.compare(abuse, disturbance).await
    }

    /// As [`Scene::during`], for an abuse whose beginning was measured.
    async fn compare<T>(&mut self, abuse: &str, disturbance: impl Future<Output = T>) -> Result<T> {
        let (latencies, end) = self
            .caller
            .measure(disturbance)
            .await
            .with_context(|| format!("a valid call failed during {abuse}"))?;
        report(abuse, &latencies, &self.process)?;
        let slowest = self.baseline * MOST_SLOWDOWN;
        assert!(
            latencies.percentile(99) < slowest,
            "{abuse}: {:?}, {slowest:?} allowed",
            latencies.percentile(99)
        );
        let memory = memory::peak(self.process.id()?)?;
        assert!(memory < MOST_MEMORY, "{abuse}: {} MiB", memory >> 20);
        Ok(end)
    }

    /// Whether somebody who connects now is answered.
    async fn is_healthy(&self) -> Result<bool> {
        let check =
            HealthClient::new(channel(&self.secured, &self.url)?).check(HealthCheckRequest::default()).await;
        let probes = self.process.admin()?.probe("/readyz").await?;
        Ok(check.is_ok() && probes == 200)
    }
}

fn channel(secured: &Secured, url: &str) -> Result<Channel> {
    if url.starts_with("https") {
        return secured.channel(url.to_owned(), "ca.crt");
    }
    Ok(Endpoint::from_shared(url.to_owned())?.connect_lazy())
}

async fn a_company_day(suite: &Suite) -> Result<GetCompanyActivityRequest> {
    let request = ListCompanyActivityRequest { page_size: 1, ..Default::default() };
    let listed = suite.activity()?.list_company_activity(request).await?.into_inner();
    let row = listed.activities.into_iter().next().context("nothing is published")?;
    Ok(GetCompanyActivityRequest { company_id: row.company_id, activity_date: row.activity_date })
}

fn report(during: &str, latencies: &Latencies, process: &Process) -> Result<()> {
    let (calls, put_off) = (latencies.calls(), latencies.put_off);
    let (half, most) = (latencies.percentile(50), latencies.percentile(99));
    let memory = memory::peak(process.id()?)? >> 20;
    say(&format!(
        "{during}: {calls} calls, p50 {half:.1?}, p99 {most:.1?}, {put_off} put off; peak {memory} MiB"
    ));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures latencies, and runs alone: tests/run.sh"]
async fn a_valid_caller_hardly_notices_abuse_and_memory_stays_bounded() -> Result<()> {
    let mut scene = Scene::prepare(false).await?;
    let abuser = scene.abuser.clone();

    for _ in 0..scene.amount.of(1, 10) {
        let status = scene.during("a message of 100 MiB", abuser.huge_message(100 << 20)).await??;
        assert!(matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted), "{status:?}");
    }

    let number = scene.amount.idle()?;
    let idle = scene.during("idle connections", abuser.idle_connections(number)).await?;
    assert!(scene.is_healthy().await?);
    scene.compare("idle connections that stay", async {}).await?;
    drop(idle);

    let exports = scene.during("1,000 exports that nobody reads", abuser.unread_exports(1_000)).await??;
    let (open, refused) = &exports;
    assert_eq!((open.len(), refused), (64, &936));
    scene.compare("exports that stay", async {}).await?;
    drop(exports);

    let calls = scene.amount.of(3_000, 30_000);
    scene.during("calls with a deadline of 1 ms", abuser.hasty_calls(calls)).await??;

    let floods = scene.amount.of(10, 100);
    let headers = async {
        for _ in 0..floods {
            abuser.endless_headers().await?;
        }
        anyhow::Ok(())
    };
    scene.during("headers without end", headers).await??;
    let resets = async {
        for _ in 0..floods {
            abuser.rapid_resets().await?;
        }
        anyhow::Ok(())
    };
    scene.during("streams that are reset at once", resets).await??;
    assert!(scene.is_healthy().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures latencies, and runs alone: tests/run.sh"]
async fn unfinished_handshakes_keep_nobody_out() -> Result<()> {
    let mut scene = Scene::prepare(true).await?;
    let abuser = scene.abuser.clone();
    let number = scene.amount.idle()?;
    let unfinished = scene.during("unfinished TLS handshakes", abuser.unfinished_handshakes(number)).await?;
    assert!(scene.is_healthy().await?);
    drop(unfinished);
    Ok(())
}
