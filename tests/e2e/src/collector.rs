//! The collector that receives the suite's traces.

use std::io::Write as _;

use anyhow::Result;
use test_telemetry::{Jaeger, Receiver, Trace, jaeger};

/// A collector whose traces can be queried.
#[derive(Debug)]
pub enum Collector {
    /// A collector in the test's own process.
    InProcess(Receiver),
    /// A real Jaeger.
    Jaeger(Box<Jaeger>),
}

impl Collector {
    /// A collector in the test's own process, which is always available.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn in_process() -> Result<Self> {
        Ok(Self::InProcess(Receiver::start().await?))
    }

    /// A real Jaeger, installed by the first call. `None` if this machine
    /// cannot build it, with a message that the test runner always shows.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn jaeger() -> Result<Option<Self>> {
        match tokio::task::spawn_blocking(jaeger::install).await? {
            Ok(installed) => Ok(Some(Self::Jaeger(Box::new(Jaeger::start(&installed).await?)))),
            Err(problem) => {
                // Bypasses the test runner, which hides the output of passing tests.
                writeln!(
                    std::io::stderr(),
                    "\n!!!! NOT TESTED with a real Jaeger, for the in-process collector alone: {problem:#}\n"
                )?;
                Ok(None)
            }
        }
    }

    /// The value for `--otlp-endpoint`.
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
    /// If it does not arrive in time; the error shows what did.
    pub async fn trace(&self, trace_id: &str, wanted: impl Fn(&Trace) -> bool) -> Result<Trace> {
        match self {
            Self::InProcess(receiver) => receiver.trace(trace_id, wanted).await,
            Self::Jaeger(jaeger) => jaeger.trace(trace_id, wanted).await,
        }
    }
}
