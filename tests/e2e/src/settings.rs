//! The settings of the suite under test.

use std::collections::BTreeMap;

use crate::binaries::Build;

/// How the suite is split into processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `activityctl standalone`.
    Standalone,
    /// One process per service, all on one warehouse.
    Separate,
}

/// Flags and environment variables in addition to the common ones.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    flags: BTreeMap<&'static str, Vec<String>>,
    environment: Vec<(String, String)>,
    client_environment: Vec<(String, String)>,
    has_tls: bool,
    warehouse_url: Option<String>,
    has_events: bool,
    build: Build,
}

impl Settings {
    /// Uses the warehouse at `url` instead of a SQLite file.
    #[must_use]
    pub fn warehouse(mut self, url: String) -> Self {
        self.warehouse_url = Some(url);
        self
    }

    /// Also copies events.
    #[must_use]
    pub const fn with_events(mut self) -> Self {
        self.has_events = true;
        self
    }

    /// Starts processes from this build from now on.
    #[must_use]
    pub const fn build(mut self, build: Build) -> Self {
        self.build = build;
        self
    }

    /// Adds a flag for one service; `standalone` takes the flags of all.
    #[must_use]
    pub fn flag(mut self, service: &'static str, flag: &str, value: &str) -> Self {
        self.flags.entry(service).or_default().extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// Adds an environment variable for every process.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an environment variable for every command of the command line.
    #[must_use]
    pub fn client_variable(mut self, name: &str, value: &str) -> Self {
        self.client_environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says that the services serve TLS, as their variables configure it.
    #[must_use]
    pub const fn with_tls(mut self) -> Self {
        self.has_tls = true;
        self
    }

    /// Sends traces and metrics of every process to the collector at
    /// `endpoint`, traces with a short delay because a test waits for them.
    #[must_use]
    pub fn telemetry(self, endpoint: &str) -> Self {
        self.variable("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).variable("OTEL_BSP_SCHEDULE_DELAY", "100")
    }

    /// Whether this flag was added.
    pub(crate) fn has(&self, service: &str, flag: &str) -> bool {
        self.flags.get(service).is_some_and(|flags| flags.iter().any(|given| given == flag))
    }

    /// The flags for one service.
    pub(crate) fn flags(&self, service: &str) -> Vec<String> {
        self.flags.get(service).cloned().unwrap_or_default()
    }

    /// The warehouse to use instead of a SQLite file, if set.
    pub(crate) fn warehouse_url(&self) -> Option<&str> {
        self.warehouse_url.as_deref()
    }

    /// Whether events are copied.
    pub(crate) const fn has_events(&self) -> bool {
        self.has_events
    }

    /// The build to start processes from.
    pub(crate) const fn build_to_start(&self) -> Build {
        self.build
    }

    /// The environment variables of every command of the command line.
    pub(crate) fn client_environment(&self) -> Vec<(&str, &str)> {
        self.client_environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The scheme of the services' URLs.
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.has_tls { "https" } else { "http" }
    }

    /// The environment variables of every process.
    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }
}
