//! Where the database is, from a warehouse URL or a libpq connection string.

use std::{path::Path, str::FromStr, time::Duration};

use log::LevelFilter;
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};
use url::Url;
use warehouse_core::{Error, Result};

use crate::connection_string::{Parameters, settings};

/// The connection limit, unless the URL says otherwise.
const CONNECTIONS: u32 = 18;

/// How long connecting to one server may take, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How a certificate begins.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// The content of a URL.
pub(crate) struct Location {
    /// The servers in the order in which to try them. They hold the password: never
    /// print them.
    pub(crate) servers: Vec<Server>,
    pub(crate) wanted: Wanted,
    pub(crate) connect_timeout: Duration,
    /// The settings from `options`, applied once connected: poolers refuse them earlier.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) connections: u32,
}

/// One server.
pub(crate) struct Server {
    /// Its host and port, for people.
    pub(crate) name: String,
    /// How to connect to it, in the order in which to try.
    pub(crate) ways: Vec<PgConnectOptions>,
}

/// Which servers are suitable (`target_session_attrs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Any,
    /// One that accepts writes.
    ReadWrite,
    /// One that is not a standby.
    Primary,
    /// One that accepts no writes, for readers.
    ReadOnly,
    /// A standby.
    Standby,
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
        // As in libpq: zero means no limit, and less than two seconds is raised.
        Some(0) => Duration::from_secs(3_600),
        Some(seconds) => Duration::from_secs(u64::from(seconds.max(2))),
    };
    let wanted = match parameters.get("target_session_attrs") {
        None | Some("any") => Wanted::Any,
        Some("read-write") => Wanted::ReadWrite,
        Some("primary") => Wanted::Primary,
        Some("read-only") => Wanted::ReadOnly,
        Some("standby") => Wanted::Standby,
        Some(_) => {
            return Err(
                "has an unknown target_session_attrs: use any, read-write, primary, read-only or standby"
                    .to_owned(),
            );
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
    // Through a URL, because only then sqlx reads the password file.
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
        // Set once connected: pgbouncer refuses clients that request it earlier.
        .extra_float_digits(None)
        // Logged for traces, and for debugging.
        .log_statements(LevelFilter::Debug)
        // Bulk statements are slow; a warning with their whole text is useless.
        .log_slow_statements(LevelFilter::Debug, Duration::MAX);
    let name = match (host, port) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host,
        (None, _) => options.get_host().to_owned(),
    };
    let ways = security.modes(options.get_ssl_mode());
    Ok(Server { name, ways: ways.iter().map(|mode| options.clone().ssl_mode(*mode)).collect() })
}

/// The TLS settings of a URL.
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
            // A file without one would silently mean that only well-known authorities
            // are trusted.
            Some(file) if !std::fs::read_to_string(file).is_ok_and(|text| text.contains(CERTIFICATE)) => {
                return Err(format!("names a file in sslrootcert that holds no certificate (PEM): {file}"));
            }
            // Naming an authority means that it must be checked.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Vec<(String, u16, String)> {
        let location = parse(text).unwrap();
        location
            .servers
            .iter()
            .map(|server| {
                let way = &server.ways[0];
                let place = way
                    .get_socket()
                    .map_or_else(|| way.get_host().to_owned(), |socket| socket.display().to_string());
                (place, way.get_port(), way.get_database().unwrap_or_default().to_owned())
            })
            .collect()
    }

    fn one(place: &str, port: u16, database: &str) -> (String, u16, String) {
        (place.to_owned(), port, database.to_owned())
    }

    #[test]
    fn libpqs_forms_of_a_url_lead_where_libpq_goes() {
        let socket = "/var/run/postgresql";
        for (url, expected) in [
            ("postgres://me@db/activity", vec![one("db", 5432, "activity")]),
            ("postgresql://me@db:6432/activity", vec![one("db", 6432, "activity")]),
            ("postgres:///activity?host=/var/run/postgresql", vec![one(socket, 5432, "activity")]),
            ("postgres://me@%2Fvar%2Frun%2Fpostgresql:6432/activity", vec![one(socket, 6432, "activity")]),
            ("postgres://me@[::1]:6432/activity", vec![one("::1", 6432, "activity")]),
            ("postgres://db/my%20base", vec![one("db", 5432, "my base")]),
            ("postgres://a:1,b:2/x", vec![one("a", 1, "x"), one("b", 2, "x")]),
            ("postgres://a,b/x?port=7", vec![one("a", 7, "x"), one("b", 7, "x")]),
            ("postgres://x@/y?host=a,b&port=1,2", vec![one("a", 1, "y"), one("b", 2, "y")]),
            ("postgres://me@ignored/x?hostaddr=10.0.0.1&host=", vec![one("10.0.0.1", 5432, "x")]),
            ("host=db port=6432 dbname=activity user=me", vec![one("db", 6432, "activity")]),
            ("host = 'db' dbname='it\\'s' password='a b'", vec![one("db", 5432, "it's")]),
            ("host=/var/run/postgresql dbname=activity", vec![one(socket, 5432, "activity")]),
        ] {
            assert_eq!(servers(url), expected, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_heeded_is_named_with_a_way_out_and_never_quoted() {
        for (url, words) in [
            ("postgres://u:hunter2@db:port/x", "port that is not a number"),
            ("postgres://u:hunter2@db:0/x", "port that is not a number"),
            ("postgres://u:hunter2@db/x?max_connections=0", "not a number from 1"),
            ("postgres://u:hunter2@db/x?max_connections=-1", "max_connections"),
            ("postgres://u:hun/ter2@db/x", "%2F"),
            ("postgres://u:hunter2%zz@db/x", "%25"),
            ("postgres://u:hunter2@a:1,b:2,c/x?port=1,2", "ports"),
            ("postgres://u:hunter2@::1/x", "[::1]:5432"),
            ("postgres://u:hunter2@db/x?sslmode=please", "verify-full"),
            ("postgres://u:hunter2@db/x?sslmode=verify-full&sslrootcert=/no/such/file", "/no/such/file"),
            ("postgres://u:hunter2@db/x?sslmode=verify-full&sslrootcert=/etc/passwd", "no certificate"),
            ("postgres://u:hunter2@db/x?sslmode=verify-full&sslrootcert=system", "leave it out"),
            ("postgres://u@db/x?pasword=hunter2", "not known: pasword"),
            ("postgres://u@db/x?password=hun&ter2hunter2=", "%26"),
            ("postgres://u:hunter2@db/x?service=prod", "write out what the service file says"),
            ("postgres://u:hunter2@db/x?passfile=/p", "PGPASSFILE"),
            ("postgres://u:hunter2@db/x?channel_binding=require", "verify-full"),
            ("postgres://u:hunter2@db/x?gssencmode=require", "leave it out"),
            ("postgres://u:hunter2@db/x?schema=public", "options=-c%20search_path"),
            ("postgres://u:hunter2@db/x?target_session_attrs=writer", "read-write"),
            ("postgres://u:hunter2@db/x?options=project%3Dhunter2", "options=-c%20name=value"),
            ("postgres://u:hunter2@db/x?connect_timeout=soon", "connect_timeout=10"),
            ("postgres://u:hunter2@db/x?host=a&hostaddr=10.0.0.1", "leave one out"),
            ("host=db password='hunter2", "quote"),
            ("host=db hunter2", "postgres://user:password@host"),
        ] {
            let problem = parse(url).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(problem.contains(words), "{url}: {problem:?}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn what_is_so_anyway_may_be_said() {
        let url = "postgres://u@db/x?client_encoding=UTF8&channel_binding=prefer&gssencmode=disable&keepalives=1\
                   &sslnegotiation=postgres&load_balance_hosts=disable&requiressl=0";
        assert_eq!(parse(url).unwrap().connections, CONNECTIONS);
    }

    #[test]
    fn the_url_bounds_connections_time_and_servers() {
        let location =
            parse("postgres://u@db/x?max_connections=3&connect_timeout=1&target_session_attrs=read-write")
                .unwrap();
        assert_eq!((location.connections, location.wanted), (3, Wanted::ReadWrite));
        assert_eq!(location.connect_timeout, Duration::from_secs(2));
        assert_eq!(parse("postgres://u@db/x").unwrap().wanted, Wanted::Any);
    }

    #[test]
    fn tls_is_asked_for_as_the_url_says() {
        let modes = |query: &str| -> Vec<PgSslMode> {
            let location = parse(&format!("postgres://u@db/x?{query}")).unwrap();
            location.servers[0].ways.iter().map(PgConnectOptions::get_ssl_mode).collect()
        };
        let is = |query: &str, expected: &[PgSslMode]| {
            assert_eq!(format!("{:?}", modes(query)), format!("{expected:?}"), "{query}");
        };
        is("sslmode=prefer", &[PgSslMode::Prefer, PgSslMode::Disable]);
        is("sslmode=allow", &[PgSslMode::Disable, PgSslMode::Require]);
        is("sslmode=disable", &[PgSslMode::Disable]);
        is("sslmode=require", &[PgSslMode::Require]);
        is("requiressl=1", &[PgSslMode::Require]);
        is("sslmode=verify-full", &[PgSslMode::VerifyFull]);
        // Naming an authority means that it must be checked, as in libpq.
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), CERTIFICATE).unwrap();
        let query = format!("sslmode=require&sslrootcert={}", file.path().display());
        is(&query, &[PgSslMode::VerifyCa]);
    }

    #[tokio::test]
    async fn options_are_set_and_the_applications_name_is_reported() {
        let database = test_postgres::Database::create().await.unwrap();
        let url = format!(
            "{}&options=-c%20statement_timeout=7s%20--lock-timeout=8s&application_name=mine",
            database.url()
        );
        let (_, mut connection) = parse(&url).unwrap().connect().await.unwrap();
        let mut shown = async |name: &str| -> String {
            sqlx::query_scalar("SELECT current_setting($1)")
                .bind(name)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        };
        assert_eq!(shown("statement_timeout").await, "7s");
        assert_eq!(shown("lock_timeout").await, "8s");
        assert_eq!(shown("application_name").await, "mine");
        assert_eq!(shown("plan_cache_mode").await, "force_custom_plan");
        assert_eq!(shown("client_min_messages").await, "error");
    }
}
