//! What Prometheus receives and makes of it: metrics, rules and dashboards,
//! each checked with the real tool.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};
use domain::DateWindow;
use e2e::{
    admin::Admin,
    alerts::AlertReceiver,
    collector::Collector,
    dashboards::{chart, postgres_queries, prometheus_queries},
    found,
    prometheus::{Prometheus, promtool},
    promql::metric_names,
    settings::{Layout, Settings},
    sql_reader::SqlReader,
    suite::Suite,
    vectors::Vector,
    workspace_root,
};
use proto::pipeline::v1::RunState;
use sample_sources::Fault;
use test_postgres::Database;

/// Separate processes with a collector and a receiver of alerts.
struct Watched {
    suite: Suite,
    alerts: AlertReceiver,
    _collector: Collector,
}

impl Watched {
    async fn start() -> Result<Self> {
        let (collector, alerts) = (Collector::in_process().await?, AlertReceiver::start().await?);
        let settings = Settings::default().telemetry(&collector.endpoint()).flag(
            "notifier",
            "--webhook-url",
            &alerts.url("/alerts"),
        );
        let suite = Suite::start(Layout::Separate, settings).await?;
        Ok(Self { suite, alerts, _collector: collector })
    }

    /// Executes a run that succeeds, queries its published data, and executes a
    /// run that fails and alerts.
    async fn live_a_day(&self) -> Result<()> {
        self.publish_a_day().await?;
        self.fail_a_day().await
    }

    async fn publish_a_day(&self) -> Result<()> {
        let vector = Vector::gaps()?;
        vector.deliver(&self.suite.sources)?;
        self.suite.publish(vector.window).await?;
        self.suite.fact(vector.window).await?;
        Ok(())
    }

    async fn fail_a_day(&self) -> Result<()> {
        let vector = Vector::gaps()?;
        self.suite.sources.faults.fail_next(usize::MAX / 2, Fault::status(401));
        let failed = self.suite.run_to_end(vector.window, true).await?;
        assert_eq!(failed.state(), RunState::Failed, "{failed:#?}");
        self.alerts.wait_for("/alerts", 1).await?;
        Ok(())
    }

    fn admins(&self) -> Result<Vec<Admin>> {
        self.suite.services().map(|service| self.suite.admin(service)).collect()
    }
}

/// A row of `docs/metrics.md`.
struct Documented {
    name: String,
    kind: String,
    services: String,
}

impl Documented {
    fn all() -> Result<Vec<Self>> {
        let page = fs::read_to_string(workspace_root().join("docs/metrics.md"))?;
        let rows = page.lines().filter_map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let (name, kind) = cells.first()?.strip_prefix("| `")?.split_once("` (")?;
            let services = cells.last()?.trim_end_matches(" |");
            let kind = kind.trim_end_matches(')');
            Some(Self { name: name.to_owned(), kind: kind.to_owned(), services: services.to_owned() })
        });
        let documented: Vec<Self> = rows.collect();
        anyhow::ensure!(documented.len() > 10, "docs/metrics.md is not as expected");
        Ok(documented)
    }

    fn is_served_by(&self, service: &str) -> bool {
        self.services == "all" || self.services.split(", ").any(|listed| listed == service)
    }

    fn type_line(&self) -> String {
        format!("# TYPE {} {}", self.name, self.kind)
    }
}

#[tokio::test]
async fn every_service_serves_its_documented_metrics_in_good_form() -> Result<()> {
    let watched = Watched::start().await?;
    watched.live_a_day().await?;
    let documented = Documented::all()?;
    for service in watched.suite.services() {
        let admin = watched.suite.admin(service)?;
        let expected: Vec<String> = documented
            .iter()
            .filter(|metric| metric.is_served_by(service))
            .map(Documented::type_line)
            .collect();
        let what = format!("the metrics of {service}, which are to be {expected:#?}");
        let text = found(&what, async || {
            let text = admin.metrics().await?;
            let lines: BTreeSet<&str> = text.lines().collect();
            let is_complete = expected.iter().all(|line| lines.contains(line.as_str()));
            Ok(is_complete.then(|| text.clone()))
        })
        .await?;
        promtool(&["check", "metrics"], &text).await.with_context(|| service.to_owned())?;
        let known = |name: &str| documented.iter().any(|metric| metric.name == name) || name == "target_info";
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let name = line.split(' ').next().unwrap_or_default();
            assert!(known(name), "{service} serves {name}, which docs/metrics.md does not know");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_rule_and_every_panel_can_be_evaluated_on_what_the_suite_serves() -> Result<()> {
    let watched = Watched::start().await?;
    let admins = watched.admins()?;
    let prometheus = Prometheus::start(&admins, &chart().join("rules/company-activity.yaml")).await?;
    // A counter's growth shows only to those who have seen an earlier value.
    let scraped_twice = format!("count(count_over_time(up[1m]) >= 2) == {}", admins.len());
    yields(&prometheus, &scraped_twice).await?;
    watched.publish_a_day().await?;
    // A histogram does not exist before its first value, so every stage of the
    // first run must be scraped before another run makes it grow. Services are
    // scraped one after the other.
    let every_stage = "count(count by (stage) (company_activity_stage_duration_seconds_count)) == 4";
    yields(&prometheus, every_stage).await?;
    watched.fail_a_day().await?;

    let queries = prometheus_queries()?;
    for query in &queries {
        yields(&prometheus, &query.text).await.with_context(|| query.panel.clone())?;
    }
    let rules = prometheus.rules().await?;
    assert!(!rules.is_empty());
    let asked = rules.iter().map(|rule| &rule.expression).chain(queries.iter().map(|query| &query.text));
    for name in asked.flat_map(|expression| metric_names(expression)) {
        yields(&prometheus, name).await?;
    }
    found("the evaluation of every rule", async || {
        let rules = prometheus.rules().await?;
        let failed: Vec<_> = rules.iter().filter(|rule| rule.health == "err").collect();
        assert!(failed.is_empty(), "{failed:#?}");
        Ok(rules.iter().all(|rule| rule.health == "ok").then_some(()))
    })
    .await?;
    found("the alert of a failed run", async || {
        let rules = prometheus.rules().await?;
        let fires = |name: &str| rules.iter().any(|rule| rule.name == name && rule.state == "firing");
        Ok(fires("CompanyActivityRunFailed").then_some(()))
    })
    .await
}

/// Waits until a query has a result.
async fn yields(prometheus: &Prometheus, expression: &str) -> Result<()> {
    let result = async || Ok((!prometheus.query(expression).await?.is_empty()).then_some(()));
    found(&format!("a result of {expression}"), result).await
}

#[tokio::test]
async fn the_rules_are_in_good_form_and_pass_their_tests() -> Result<()> {
    let rules = chart().join("rules");
    let file = |name: &str| rules.join(name).display().to_string();
    promtool(&["check", "rules", &file("company-activity.yaml")], "").await?;
    promtool(&["test", "rules", &file("company-activity.test.yaml")], "").await
}

#[tokio::test]
async fn every_panel_of_the_analysts_is_answered_by_postgres() -> Result<()> {
    let database = Database::create().await?;
    let settings = Settings::default().warehouse(database.url());
    let suite = Suite::start(Layout::Standalone, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    // The day on which a company newly becomes at risk, which one of the panels shows.
    let window = DateWindow::parse("2026-01-01", "2026-01-17")?;
    suite.publish(window).await?;
    let mut reader = SqlReader::connect(&database.url()).await?;
    for query in postgres_queries(window)? {
        let rows = reader.count_rows(&query.text).await.with_context(|| query.panel.clone())?;
        assert!(rows > 0, "{} shows nothing", query.panel);
    }
    reader.close().await
}
