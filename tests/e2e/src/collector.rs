//! Where the suite under test sends its traces.

use std::io::Write as _;

use anyhow::Result;
use test_telemetry::{Jaeger, Receiver, Trace, jaeger};

/// A collector that can be asked for what it was sent.
#[derive(Debug)]
pub enum Collector {
    /// One in the test's own process.
    InProcess(Receiver),
    /// A real Jaeger.
    Jaeger(Box<Jaeger>),
}

impl Collector {
    /// One in the test's own process, which is always to be had.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn in_process() -> Result<Self> {
        Ok(Self::InProcess(Receiver::start().await?))
    }

    /// A real Jaeger, which the first call installs. `None`, and said so whatever the
    /// test runner shows, if this machine cannot build it.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn jaeger() -> Result<Option<Self>> {
        match tokio::task::spawn_blocking(jaeger::install).await? {
            Ok(installed) => Ok(Some(Self::Jaeger(Box::new(Jaeger::start(&installed).await?)))),
            Err(problem) => {
                // Past the test runner, which keeps to itself what a passing test prints.
                writeln!(
                    std::io::stderr(),
                    "\n!!!! NOT TESTED with a real Jaeger, for the in-process collector alone: {problem:#}\n"
                )?;
                Ok(None)
            }
        }
    }

    /// What `--otlp-endpoint` has to be.
    #[must_use]
    pub fn endpoint(&self) -> String {
        match self {
            Self::InProcess(receiver) => receiver.endpoint(),
            Self::Jaeger(jaeger) => jaeger.endpoint(),
        }
    }

    /// Waits until a trace is as `wanted`, and returns it.
    ///
    /// # Errors
    /// If it does not come in time; says what there is.
    pub async fn trace(&self, trace_id: &str, wanted: impl Fn(&Trace) -> bool) -> Result<Trace> {
        match self {
            Self::InProcess(receiver) => receiver.trace(trace_id, wanted).await,
            Self::Jaeger(jaeger) => jaeger.trace(trace_id, wanted).await,
        }
    }
}
