//! Stages that take much longer than usual.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use domain::run::STAGE_COPY_CRM_CSV;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::Registry;
use tokio::sync::Notify;
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

use crate::{
    script::Step,
    suite::{Coordinator, Suite, assert_succeeded},
};

/// Captures the log of a test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn warnings_of(&self, stage: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let of_stage = |line: &&str| line.contains(&format!("stage={stage}"));
        text.lines().filter(of_stage).map(ToOwned::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What Prometheus would scrape from this process.
fn metrics() -> Registry {
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().unwrap();
    opentelemetry::global::set_meter_provider(SdkMeterProvider::builder().with_reader(reader).build());
    registry
}

fn slow_executions(registry: &Registry, stage: &str) -> Option<f64> {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == "company_activity_stage_slow_total")?;
    let is_stage =
        |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|label| label.value() == stage);
    Some(family.get_metric().iter().find(is_stage)?.get_counter().get_value())
}

/// Runs a day whose CRM stage takes this long.
async fn run_day(suite: &Suite, coordinator: &Coordinator, number: usize, seconds: u64) {
    let go = Arc::new(Notify::new());
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Await(Arc::clone(&go))]);
    let run = coordinator.trigger_day(&format!("2026-02-{number:02}")).await;
    suite.script.called(STAGE_COPY_CRM_CSV, number).await;
    suite.clock.pass(seconds);
    go.notify_one();
    assert_succeeded(&coordinator.ended(&run.run_id).await);
}

#[tokio::test]
async fn a_stage_that_takes_much_longer_than_it_did_is_reported_and_counted() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::WARN)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _subscribed = tracing::subscriber::set_default(subscriber);
    let registry = metrics();
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    for number in 1..=5 {
        run_day(&suite, &coordinator, number, 10).await;
    }
    run_day(&suite, &coordinator, 6, 18).await;
    assert_eq!(log.warnings_of(STAGE_COPY_CRM_CSV), [""; 0]);
    assert_eq!(slow_executions(&registry, STAGE_COPY_CRM_CSV), Some(0.0), "a counter that is there can grow");

    run_day(&suite, &coordinator, 7, 40).await;
    let warnings = log.warnings_of(STAGE_COPY_CRM_CSV);
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("took 40.0s, 4.0 times the 10.0s"), "{warnings:#?}");
    assert!(warnings[0].contains("activityctl trends --stage act_copy_crm_csv"), "{warnings:#?}");
    assert_eq!(slow_executions(&registry, STAGE_COPY_CRM_CSV), Some(1.0));
}
