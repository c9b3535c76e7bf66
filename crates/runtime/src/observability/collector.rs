//! The way to the collector.

use std::sync::Arc;

use anyhow::Context as _;
use opentelemetry_otlp::{WithExportConfig, WithTonicConfig};
use tls::{ClientTls, ClientTlsFiles, ConnectOptions, DefaultTimeProvider};
use tonic::transport::{Channel, Endpoint};

use crate::arguments::TelemetryArgs;

/// Where traces and metrics are sent.
#[derive(Debug)]
pub(super) struct Collector {
    endpoint: String,
    secured: Option<Secured>,
}

/// A connection by our own TLS: the exporter's would be tonic's, which stays off.
#[derive(Debug)]
struct Secured {
    channel: Channel,
    tls: ClientTls,
}

impl Collector {
    /// The collector of the arguments, connected to on the first export.
    ///
    /// # Errors
    /// If its CAs cannot be read.
    pub(super) fn of(args: &TelemetryArgs) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = args.otlp_endpoint.clone() else { return Ok(None) };
        if !endpoint.starts_with("https:") {
            return Ok(Some(Self { endpoint, secured: None }));
        }
        let files = ClientTlsFiles { ca: args.otlp_ca_file.clone(), ..ClientTlsFiles::default() };
        let tls = ClientTls::load(files, Arc::new(DefaultTimeProvider)).context("--otlp-endpoint")?;
        let to = Endpoint::from_shared(endpoint.clone()).context("--otlp-endpoint cannot be used")?;
        let channel = to.connect_with_connector_lazy(tls.connector(&ConnectOptions::default()));
        Ok(Some(Self { endpoint, secured: Some(Secured { channel, tls }) }))
    }

    /// Makes an exporter send to it.
    pub(super) fn receive_from<B: WithExportConfig + WithTonicConfig>(&self, exporter: B) -> B {
        match &self.secured {
            Some(Secured { channel, .. }) => exporter.with_channel(channel.clone()),
            None => exporter.with_endpoint(&self.endpoint),
        }
    }

    /// Its TLS, if it has one, whose files somebody has to follow.
    pub(super) fn into_tls(self) -> Option<ClientTls> {
        self.secured.map(|secured| secured.tls)
    }
}
