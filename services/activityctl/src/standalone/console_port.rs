//! The console of the suite: pages on a port of their own.

use std::{net::SocketAddr, str::FromStr, sync::Arc};

use access::Access;
use axum::Extension;
use clap::Args;
use console::Backend;
use runtime::{Context, GrpcRoutes, Service, Site};
use tls::{ClientAuth, ServerTlsArgs};
use tokio_util::sync::CancellationToken;

/// Where the console is, and who gets in.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(super) struct ConsoleArgs {
    /// Address to serve the console on, the pages for browsers, over HTTP (HTTPS with --tls-cert-file); port 0 picks a
    /// free one, `off` turns it off
    #[arg(long, env = "CONSOLE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:50080")]
    pub(super) console_listen: ConsoleListen,

    // Without a comment of documentation, which clap would take for the help's heading.
    #[command(flatten)]
    pub(super) options: console::Options,
}

/// Where the console is served, if at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConsoleListen {
    Off,
    At(SocketAddr),
}

impl FromStr for ConsoleListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => {
                text.parse().map(Self::At).map_err(|error| format!("{error}; write 127.0.0.1:50080, or off"))
            }
        }
    }
}

/// Whether the console would let those in whom the gRPC port refuses for want of a certificate:
/// browsers are not asked for one, and without a policy nobody is asked for anything else.
pub(super) fn leads_around_certificates(console: &ConsoleArgs, tls: &ServerTlsArgs) -> bool {
    let clients = tls.clone().files().and_then(|files| files.clients);
    console.console_listen != ConsoleListen::Off
        && clients.is_some_and(|clients| clients.auth == ClientAuth::Required)
}

/// The suite with its console at `listen`. It calls the services as any client does: they ask
/// `access` who its visitors are.
///
/// # Errors
/// Never in practice: the address inside the process is a constant.
pub fn with_console(
    mut suite: Service,
    options: console::Options,
    listen: SocketAddr,
    access: Access,
    context: &Context,
) -> anyhow::Result<(Service, Site)> {
    let routes = GrpcRoutes::merge(&suite.grpc);
    let stop = CancellationToken::new();
    let (channel, server) = runtime::channel::in_process_asking("console", routes, access, stop.clone())?;
    suite.background.push(server);
    let backend = Backend { coordinator: channel.clone(), activity: channel };
    let context = context.clone();
    // Dropped with the last page, so that no page loses its services.
    let with_the_pages = Arc::new(stop.drop_guard());
    let site = Site::new(move |served| {
        let pages = console::assemble(&options, backend, &context, served)?;
        Ok(pages.layer(Extension(with_the_pages)))
    });
    Ok((suite, site.beside_grpc(listen)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_no_way_around_certificates() {
        let asks = |listen: ConsoleListen, auth: Option<ClientAuth>| {
            let console = ConsoleArgs { console_listen: listen, options: console::Options::default() };
            let file = |name: &str| Some(name.into());
            let tls = ServerTlsArgs {
                tls_cert_file: file("tls.crt"),
                tls_key_file: file("tls.key"),
                tls_client_ca_file: auth.and_then(|_| file("ca.crt")),
                tls_client_auth: auth,
            };
            leads_around_certificates(&console, &tls)
        };
        let listening = ConsoleListen::At(SocketAddr::from(([127, 0, 0, 1], 0)));
        assert!(asks(listening, Some(ClientAuth::Required)));
        assert!(!asks(ConsoleListen::Off, Some(ClientAuth::Required)));
        assert!(!asks(listening, Some(ClientAuth::Optional)), "the gRPC port lets them in as well");
        assert!(!asks(listening, None));
    }

    #[test]
    fn the_console_is_off_or_at_an_address() {
        assert_eq!("off".parse(), Ok(ConsoleListen::Off));
        assert_eq!("127.0.0.1:0".parse(), Ok(ConsoleListen::At(SocketAddr::from(([127, 0, 0, 1], 0)))));
        for text in ["", "on", "50080", "localhost:50080"] {
            assert!(text.parse::<ConsoleListen>().unwrap_err().ends_with("or off"), "{text}");
        }
    }
}
