//! Logs.

use std::io::IsTerminal;

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{LogFormat, TelemetryArgs};

/// Whether text for `stream` may be in colours: it is a terminal, and `NO_COLOR`
/// is not set.
#[must_use]
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Starts logging to standard output. Call it once, at the start of the process.
///
/// # Errors
/// If the filter cannot be parsed or logging was started before.
pub fn init(args: &TelemetryArgs) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&args.log).with_context(|| format!("--log {:?} is no filter", args.log))?;
    let json = match args.log_format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stdout().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        registry.with(fmt::layer().json().flatten_event(true)).try_init()
    } else {
        registry.with(fmt::layer().with_ansi(has_colours(&std::io::stdout()))).try_init()
    }
    .context("logging was started twice")
}
