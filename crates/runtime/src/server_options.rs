//! How a service is served: where, with which certificate, and for whom.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use access::{Access, Environment};
use anyhow::Context as _;
use tls::{DefaultTimeProvider, ServerTls, ServerTlsFiles};

use crate::{arguments::RuntimeArgs, clock::Clock, context::Context, limits::Limits};

/// How a service is served.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// How long calls in flight may take to finish.
    pub drain_timeout: Duration,
    /// Whether to serve reflection.
    pub reflection: bool,
    /// The certificate to serve with; `None` for plain text.
    pub tls: Option<ServerTls>,
    /// The certificate to serve pages with, if there are any: the same, for browsers.
    pub site_tls: Option<ServerTls>,
    /// Who may call.
    pub access: Access,
    /// Whether callers that nobody asks who they are may come from beyond loopback.
    pub allow_unauthenticated: bool,
    /// How much of the server its callers may use.
    pub limits: Limits,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            drain_timeout: Duration::from_secs(20),
            reflection: false,
            tls: None,
            site_tls: None,
            access: Access::open(),
            allow_unauthenticated: false,
            limits: Limits::default(),
        }
    }
}

impl ServerOptions {
    /// What the arguments say. Reads the certificate and the policy.
    ///
    /// # Errors
    /// If one of their files cannot be used.
    pub fn from_args(args: &RuntimeArgs, context: &Context) -> anyhow::Result<Self> {
        let files = args.tls.clone().files();
        let load = |files| ServerTls::load(files, Arc::new(DefaultTimeProvider));
        let tls = files.clone().map(load).transpose();
        // People have no certificates.
        let site_files = files.map(|files| ServerTlsFiles { clients: None, ..files });
        let site_tls = site_files.map(load).transpose();
        let access = args.access.access(environment(context.clock.clone()));
        Ok(Self {
            listen: args.listen,
            drain_timeout: args.drain_timeout,
            reflection: args.reflection,
            tls: tls.context("cannot serve with TLS")?,
            site_tls: site_tls.context("cannot serve pages with TLS")?.map(ServerTls::for_browsers),
            access: access.context("--access-file cannot be used")?,
            allow_unauthenticated: args.access.allow_unauthenticated,
            limits: args.limits.limits(),
        })
    }
}

/// What the access policy needs of the world.
fn environment(clock: Arc<dyn Clock>) -> Environment {
    let http =
        || reqwest::Client::builder().user_agent(concat!("company-activity/", env!("CARGO_PKG_VERSION")));
    Environment { clock: Arc::new(move || clock.now()), http: Arc::new(http) }
}
