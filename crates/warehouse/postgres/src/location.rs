//! What a warehouse URL, or a libpq connection string, says of where the database is.

use std::{path::Path, str::FromStr, time::Duration};

use log::LevelFilter;
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};
use url::Url;
use warehouse_core::{Error, Result};

use crate::connection_string::{Parameters, settings};

/// Connections at a time, unless the URL says otherwise.
const CONNECTIONS: u32 = 18;

/// How long one server may take to let somebody in, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// What a URL says.
pub(crate) struct Location {
    /// The servers in the order in which to try them. They hold the password:
    /// never to be printed.
    pub(crate) servers: Vec<Server>,
    pub(crate) wanted: Wanted,
    pub(crate) connect_timeout: Duration,
    /// What `options` sets, once connected: poolers refuse it when connecting.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) connections: u32,
}

/// One server.
pub(crate) struct Server {
    /// Its host and port, for people.
    pub(crate) name: String,
    /// How to connect to it, the first way first.
    pub(crate) ways: Vec<PgConnectOptions>,
}

/// Which servers will do (`target_session_attrs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Any,
    /// One that takes writes.
    ReadWrite,
    /// One that is no standby.
    Primary,
}

pub(crate) fn parse(text: &str) -> Result<Location> {
    located(text).map_err(|problem| Error::Precondition(format!("the warehouse URL {problem}")))
}

fn located(text: &str) -> std::result::Result<Location, String> {
    let parameters = Parameters::parse(text)?;
    let number = |name: &str| parameters.number(name);
    let connections = match parameters.get("max_connections") {
        None => CONNECTIONS,
        Some(_) => number("max_connections")?
            .filter(|count| *count > 0)
            .ok_or_else(|| "has a max_connections that is not a number from 1".to_owned())?,
    };
    let connect_timeout = match number("connect_timeout")? {
        None => CONNECT_TIMEOUT,
        // As libpq has it: no limit, and less than two seconds is none to speak of.
        Some(0) => Duration::from_secs(3_600),
        Some(seconds) => Duration::from_secs(u64::from(seconds.max(2))),
    };
    let wanted = match parameters.get("target_session_attrs") {
        None | Some("any") => Wanted::Any,
        Some("read-write") => Wanted::ReadWrite,
        Some("primary") => Wanted::Primary,
        Some("read-only" | "standby" | "prefer-standby") => {
            return Err("asks for a standby, but every service writes: use target_session_attrs=read-write"
                .to_owned());
        }
        Some(_) => {
            return Err("has an unknown target_session_attrs: use any, read-write or primary".to_owned());
        }
    };
    let security = Security::of(&parameters)?;
    let servers = parameters
        .servers()?
        .into_iter()
        .map(|(host, port)| server(&parameters, &security, host, port))
        .collect::<std::result::Result<_, _>>()?;
    Ok(Location {
        servers,
        wanted,
        connect_timeout,
        settings: settings(parameters.get("options").unwrap_or_default())?,
        connections,
    })
}

fn server(
    parameters: &Parameters,
    security: &Security<'_>,
    host: Option<String>,
    port: Option<u16>,
) -> std::result::Result<Server, String> {
    // Through a URL, since only that way sqlx looks into the password file.
    let invalid = |_| "cannot be read: use postgres://user:password@host:5432/database".to_owned();
    let mut url = Url::parse("postgres:///").map_err(|error| invalid(error.to_string()))?;
    {
        let mut pairs = url.query_pairs_mut();
        let mut set = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                pairs.append_pair(name, value);
            }
        };
        set("host", host.as_deref());
        set("port", port.map(|port| port.to_string()).as_deref());
        for name in ["user", "password", "dbname", "sslcert", "sslkey", "statement-cache-capacity"] {
            set(name, parameters.get(name));
        }
        set("sslrootcert", security.root_certificate);
    }
    let options = PgConnectOptions::from_str(url.as_str()).map_err(|error| invalid(error.to_string()))?;
    let options = options
        .application_name(
            parameters
                .get("application_name")
                .or_else(|| parameters.get("fallback_application_name"))
                .unwrap_or("company-activity"),
        )
        // Set once connected: pgbouncer lets nobody in who asks for it before.
        .extra_float_digits(None)
        // Told for traces, and to those who debug.
        .log_statements(LevelFilter::Debug)
        // Bulk statements take their time; a warning with their whole text says nothing.
        .log_slow_statements(LevelFilter::Debug, Duration::MAX);
    let name = match (host, port) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host,
        (None, _) => options.get_host().to_owned(),
    };
    let ways = security.modes(options.get_ssl_mode());
    Ok(Server { name, ways: ways.iter().map(|mode| options.clone().ssl_mode(*mode)).collect() })
}

/// What a URL says of TLS.
struct Security<'text> {
    mode: Option<PgSslMode>,
    root_certificate: Option<&'text str>,
}

impl<'text> Security<'text> {
    fn of(parameters: &'text Parameters) -> std::result::Result<Self, String> {
        let mut mode = match parameters.get("sslmode") {
            None if parameters.get("requiressl") == Some("1") => Some(PgSslMode::Require),
            None => None,
            Some(mode) => Some(PgSslMode::from_str(mode).map_err(|_| {
                "has an unknown sslmode: use disable, allow, prefer, require, verify-ca or verify-full"
                    .to_owned()
            })?),
        };
        let root_certificate = parameters.get("sslrootcert");
        match root_certificate {
            None => {}
            Some("system") => {
                return Err("has sslrootcert=system: leave it out, the well-known authorities are trusted with \
                            sslmode=verify-full anyway, or name a file such as /etc/ssl/certs/ca-certificates.crt"
                    .to_owned());
            }
            Some(file) if !Path::new(file).is_file() => {
                return Err(format!("names a file in sslrootcert that does not exist: {file}"));
            }
            // Who names an authority wants it asked.
            Some(_) => match mode {
                Some(PgSslMode::Require) => mode = Some(PgSslMode::VerifyCa),
                Some(PgSslMode::VerifyCa | PgSslMode::VerifyFull) => {}
                _ => {
                    return Err("has sslrootcert, which only sslmode=verify-full and verify-ca look at: \
                                add one of them"
                        .to_owned());
                }
            },
        }
        for name in ["sslcert", "sslkey"] {
            if let Some(file) = parameters.get(name).filter(|file| !Path::new(file).is_file()) {
                return Err(format!("names a file in {name} that does not exist: {file}"));
            }
        }
        Ok(Self { mode, root_certificate })
    }

    /// The modes to try, in libpq's order.
    fn modes(&self, of_environment: PgSslMode) -> Vec<PgSslMode> {
        match self.mode.unwrap_or(of_environment) {
            PgSslMode::Prefer => vec![PgSslMode::Prefer, PgSslMode::Disable],
            PgSslMode::Allow => vec![PgSslMode::Disable, PgSslMode::Require],
            mode => vec![mode],
        }
    }
}
