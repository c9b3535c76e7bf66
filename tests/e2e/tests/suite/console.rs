//! The console in a real browser, in front of a suite that asks who calls.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};
use axum::{Router, response::Html, routing::get};
use chrono::{NaiveDate, TimeDelta, Utc};
use domain::{DateWindow, run::STAGE_CALL_PRODUCT_API};
use e2e::{
    alerts::AlertReceiver,
    bell::Bell,
    browser::{Browser, pictures},
    console::Console,
    openid::OpenIdProvider,
    secured::{Secured, text},
    settings::Layout,
    suite::Suite,
};
use sample_sources::{Fault, World, WorldOptions};
use serde_json::{Value, json};

/// A company whose name is more than a name, where it is not taken for text.
const HOSTILE_ID: &str = "hostile";
const HOSTILE_NAME: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&";

/// As many as a list needs to have pages, and a chart to look like one: the pictures are in the docs.
const COMPANIES: usize = 220;

/// Days that are published before a test begins, and those that are left for it.
const PUBLISHED_DAYS: u32 = 45;
const LEFT_DAYS: u32 = 2;

#[expect(clippy::disallowed_methods, reason = "the processes under test go by the machine's clock")]
fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// A suite with published days, and a console in front of it.
struct Shown {
    secured: Secured,
    suite: Suite,
    console: Console,
    days: Vec<NaiveDate>,
    _alerts: AlertReceiver,
}

impl Shown {
    async fn start() -> Result<Self> {
        let (secured, alerts) = (Secured::new()?, AlertReceiver::start().await?);
        let settings = secured.settings().flag("notifier", "--webhook-url", &alerts.url("/incidents"));
        let suite = Suite::start(Layout::Standalone, settings).await?;
        let world = World::generate(WorldOptions {
            companies: COMPANIES,
            days: PUBLISHED_DAYS + LEFT_DAYS,
            // Up to yesterday: what is published is as old as in real life.
            first_day: today() - TimeDelta::days(i64::from(PUBLISHED_DAYS + LEFT_DAYS)),
            ..WorldOptions::default()
        });
        suite.sources.put_world(&world, world.end())?;
        let days: Vec<NaiveDate> = world.days().collect();
        for day in &days {
            let mut export = world.crm_export(*day);
            let name = HOSTILE_NAME.replace('"', "\"\"");
            export.csv.extend(format!("{HOSTILE_ID},\"{name}\",AT,retail,2025-12-01T09:00:00Z\n").bytes());
            suite.sources.put_export(&export.file_name, export.csv)?;
        }
        let ca = secured.file("ca.crt");
        let console = Console::start(&suite, &[], &[("TLS_CA_FILE", text(&ca)?)]).await?;
        let shown = Self { secured, suite, console, days, _alerts: alerts };
        shown.suite.publish(shown.published()?).await?;
        Ok(shown)
    }

    fn published(&self) -> Result<DateWindow> {
        Ok(DateWindow::new(self.days[0], self.newest())?)
    }

    fn newest(&self) -> NaiveDate {
        self.days[self.days.len() - 1 - LEFT_DAYS as usize]
    }

    /// The days that are not published yet.
    fn left(&self) -> [NaiveDate; LEFT_DAYS as usize] {
        [self.days[self.days.len() - 2], self.days[self.days.len() - 1]]
    }

    fn token(&self, name: &str) -> Result<String> {
        Ok(fs::read_to_string(self.secured.token_file(name))?)
    }

    /// What a journey of somebody in the policy is given.
    fn given(&self, name: &str, mut more: Value) -> Result<Value> {
        more["token"] = json!(self.token(name)?);
        more["pictures"] = json!(pictures());
        Ok(self.console.given(more))
    }

    /// The rows of a command, in JSON.
    async fn rows(&self, service: &'static str, command: &[&str]) -> Result<Vec<Value>> {
        let printed =
            self.suite.command(service, &[command, &["--format", "json"]].concat()).await?.success()?;
        Ok(printed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    async fn newest_run(&self) -> Result<String> {
        let runs = self.rows("coordinator", &["runs"]).await?;
        let run = runs.first().and_then(|run| run["run_id"].as_str());
        Ok(run.context("there is no run")?.to_owned())
    }

    /// A company that the CRM knows, by its id and its name: of those that were at risk for some
    /// time, the one that is used most, because its chart has everything that there can be.
    async fn some_company(&self) -> Result<(String, String)> {
        let (from, to) = (self.days[0].to_string(), self.newest().to_string());
        let mut companies: BTreeMap<String, (bool, u64, String)> = BTreeMap::new();
        for row in self.rows("activity", &["activity", "list", "--from", &from, "--to", &to]).await? {
            let (Some(id), Some(name)) = (row["company_id"].as_str(), row["company_name"].as_str()) else {
                continue;
            };
            let (at_risk, events, known) = companies.entry(id.to_owned()).or_default();
            *at_risk |= row["is_churn_risk"] == true;
            *events += row["events"].as_u64().unwrap_or_default();
            name.clone_into(known);
        }
        let found =
            companies.into_iter().filter(|(id, _)| id != HOSTILE_ID).max_by_key(|(_, lived)| lived.clone());
        let (id, (_, _, name)) = found.context("no company has a name")?;
        Ok((id, name))
    }

    /// Every page, with the headings that it may have.
    async fn pages(&self) -> Result<Value> {
        let (run, day, (company, _)) = (self.newest_run().await?, self.newest(), self.some_company().await?);
        let pages = [
            ("/".to_owned(), "overview", "^Overview$".to_owned()),
            ("/runs".to_owned(), "runs", "^Runs$".to_owned()),
            (format!("/runs/{run}"), "run", "^Run ".to_owned()),
            (format!("/days/{day}"), "day", "^Day ".to_owned()),
            ("/companies".to_owned(), "companies", "^Companies$".to_owned()),
            (format!("/companies/{company}"), "company", format!("^Company {company}$")),
            (format!("/companies/{company}?explain={day}"), "explanation", format!("^Company {company}$")),
            ("/churn".to_owned(), "churn", "^Churn".to_owned()),
            ("/quality".to_owned(), "quality", "^Quality$".to_owned()),
        ];
        let page = |(path, name, heading): (String, &str, String)| json!({"path": path, "name": name, "heading": heading});
        Ok(pages.into_iter().map(page).collect())
    }
}

#[tokio::test]
async fn whoever_has_not_signed_in_sees_nothing() -> Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let shown = Shown::start().await?;
    let journey = json!({"name": "person", "pages": shown.pages().await?});
    browser.go("sign-in-by-token", &shown.given("person", journey)?).await?;
    Ok(())
}

#[tokio::test]
async fn every_page_can_be_read_by_everybody() -> Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let shown = Shown::start().await?;
    let mut pages = shown.pages().await?;
    let backfill = json!({"path": "/backfill", "name": "backfill", "heading": "^Backfill"});
    pages.as_array_mut().context("a list")?.push(backfill);
    browser.go("every-page", &shown.given("person", json!({"pages": pages}))?).await?;
    Ok(())
}

#[tokio::test]
async fn an_operator_triggers_a_run_watches_it_and_mends_one_that_fails() -> Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let shown = Shown::start().await?;
    let [good, bad] = shown.left();
    let faults = shown.suite.sources.faults.clone();

    faults.hold(good);
    let bell = Bell::hang(move || faults.release(good)).await?;
    let journey = json!({"from": good.to_string(), "to": good.to_string(), "ready": bell.url()});
    let run = browser.go("trigger-and-watch", &shown.given("person", journey)?).await?;
    let audit = shown.rows("coordinator", &["runs"]).await?;
    assert_eq!(audit.first().map(|newest| &newest["run_id"]), Some(&run));

    let faults = shown.suite.sources.faults.clone();
    faults.fail_next(usize::MAX / 2, Fault::status(401));
    let bell = Bell::hang(move || faults.clear()).await?;
    let journey = json!({
        "from": bad.to_string(), "to": bad.to_string(), "stage": STAGE_CALL_PRODUCT_API, "error": "401", "mended": bell.url(),
    });
    browser.go("fail-and-retry", &shown.given("person", journey)?).await?;
    Ok(())
}

#[tokio::test]
async fn a_company_is_found_and_explained_and_the_churn_file_is_the_command_line_s() -> Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let shown = Shown::start().await?;
    let (id, name) = shown.some_company().await?;
    let day = shown.newest().to_string();
    let part: String = name.chars().take(4).collect();
    let journey = json!({
        "part": part, "id": id, "name": name, "day": day, "source": "companies_20", "churn": format!("/churn?date={day}"),
    });
    let file = browser.go("company-to-explanation", &shown.given("reader", journey)?).await?;
    let churn = ["churn", "--date", &day, "--limit", "100000", "--format", "csv"];
    let printed = shown.suite.command("activity", &churn).await?.success()?;
    assert!(printed.lines().count() > 2, "{printed}");
    assert_eq!(file.as_str(), Some(printed.as_str()));
    Ok(())
}

#[tokio::test]
async fn a_reader_acts_nowhere_and_no_form_is_forged() -> Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let shown = Shown::start().await?;
    let (run, day) = (shown.newest_run().await?, shown.newest().to_string());
    let before = shown.rows("coordinator", &["runs"]).await?;
    let days = json!({"from": day, "to": day, "force": "yes"});
    let actions = json!([
        {"path": "/runs", "form": days},
        {"path": "/backfill", "form": days},
        {"path": format!("/runs/{run}/retry"), "form": {}},
        {"path": format!("/runs/{run}/cancel"), "form": {}},
        {"path": format!("/days/{day}/reconcile"), "form": {}},
        {"path": "/backfill/0123456789abcdef/stop", "form": {}},
    ]);
    let journey = json!({
        "reader": shown.token("reader")?, "operator": shown.token("person")?,
        "pages": shown.pages().await?, "actions": actions,
    });
    browser.go("reader-and-forger", &shown.given("reader", journey)?).await?;
    assert_eq!(shown.rows("coordinator", &["runs"]).await?, before);
    Ok(())
}

#[tokio::test]
async fn what_a_company_is_called_is_text() -> Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let shown = Shown::start().await?;
    let pages = [
        format!("/companies?text={HOSTILE_ID}"),
        format!("/companies/{HOSTILE_ID}"),
        format!("/companies/{HOSTILE_ID}?explain={}", shown.newest()),
    ];
    let journey = json!({"name": HOSTILE_NAME, "pages": pages});
    browser.go("hostile-name", &shown.given("reader", journey)?).await?;
    Ok(())
}

#[tokio::test]
async fn people_sign_in_with_their_identity_provider() -> Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let provider = OpenIdProvider::start(&folder.path().join("keys.json")).await?;
    let secured = Secured::new()?;
    let policy = format!(
        "issuers:\n  - {{name: people, issuer: \"{}\", audiences: [console]}}\n\
         grants:\n  - {{issuer: people, claim: groups, contains: readers, roles: [reader]}}\n",
        provider.issuer()
    );
    fs::write(secured.file("access.yaml"), policy)?;
    let suite = Suite::start(Layout::Standalone, secured.settings()).await?;
    let ca = secured.file("ca.crt");
    let provided =
        ["--oidc-issuer", provider.issuer(), "--oidc-client-id", "console", "--oidc-allow-private"];
    let console = Console::start(&suite, &provided, &[("TLS_CA_FILE", text(&ca)?)]).await?;
    let journey = json!({
        "provider": provider.issuer(), "person": "alice", "name": "people:alice", "page": "/churn", "heading": "^Churn",
    });
    browser.go("sign-in-by-provider", &console.given(journey)).await?;
    Ok(())
}

/// Otherwise a page without any defect and a harness that finds none look the same.
#[tokio::test]
async fn a_journey_notices_a_page_that_keeps_people_out() -> Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let defects = [
        ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>", "image-alt"),
        ("<p style='color: #999; background: #fff'>pale</p>", "color-contrast"),
        ("<p style='width: 3000px'>wide</p>", "pixels wide"),
        ("<script>console.error('it broke')</script>", "it broke"),
        ("<script src='http://127.0.0.1:9/x.js'></script>", "a request to http://127.0.0.1:9"),
    ];
    for (defect, complaint) in defects {
        let page = format!(
            "<!DOCTYPE html><html lang='en'><head><title>Overview</title><link rel='icon' href='data:,'></head><body>\
             <a class='skip' href='#content'>Skip</a><main id='content' tabindex='-1'><h1>Overview</h1>{defect}</main></body></html>"
        );
        let sign_in = "<!DOCTYPE html><html lang='en'><title>Sign in</title><link rel='icon' href='data:,'><main><h1>Sign in</h1>\
             <form action='/'><label>Token <input></label><button>Sign in</button></form></main></html>";
        let routes = Router::new()
            .route("/", get(async move || Html(page.clone())))
            .route("/sign-in", get(async move || Html(sign_in)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let site = format!("http://{}", listener.local_addr()?);
        tokio::spawn(axum::serve(listener, routes).into_future());
        let pages = json!([{"path": "/", "name": "defect", "heading": "^Overview$"}]);
        let refused = browser.go("every-page", &json!({"site": site, "token": "any", "pages": pages})).await;
        let refused = format!("{:#}", refused.err().with_context(|| format!("nobody noticed {defect}"))?);
        assert!(refused.contains(complaint), "{defect}: {refused}");
    }
    Ok(())
}
