//! The connection of a client command to its server.

use std::{str::FromStr, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use clap::{Arg, Args};
use contract::is_transport_failure;
use proto::{
    access::v1::access_service_client::AccessServiceClient,
    activity::v1::company_activity_service_client::CompanyActivityServiceClient,
    pipeline::v1::pipeline_service_client::PipelineServiceClient,
    quarantine::v1::quarantine_service_client::QuarantineServiceClient,
};
use runtime::{Channel, ClientArgs, ConnectProblem, Connector};
use tokio::time::Instant;
use tonic::Status;

use crate::{error::Error, output::notice};

/// The first and the longest wait between attempts to reach a server.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Which server a client command talks to.
#[derive(Debug, Clone, Args)]
#[group(skip)]
#[command(mut_args(everywhere))]
pub struct ServerArgs {
    /// The server to talk to: a URL, or host:port for plain text
    #[arg(
        long,
        env = "ACTIVITY_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:50051",
        global = true,
        help_heading = "Connection"
    )]
    pub server: ServerUrl,

    /// How long to wait for a server that cannot be connected to yet [default: 60s for commands that change
    /// something, as jobs do; 5s for the others]
    #[arg(
        long,
        env = "CONNECT_TIMEOUT",
        value_name = "DURATION",
        value_parser = humantime::parse_duration,
        global = true,
        help_heading = "Connection"
    )]
    pub connect_timeout: Option<Duration>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub client: ClientArgs,
}

/// The flags of [`ClientArgs`].
const CLIENT_FLAGS: [&str; 6] = [
    "tls_ca_file",
    "tls_client_cert_file",
    "tls_client_key_file",
    "tls_server_name",
    "token_file",
    "token_over_plain_text",
];

/// Lets the flags of [`ClientArgs`] stand before or after a subcommand, as `--server`.
fn everywhere(arg: Arg) -> Arg {
    if CLIENT_FLAGS.contains(&arg.get_id().as_str()) {
        arg.global(true).help_heading("Connection")
    } else {
        arg
    }
}

/// Who waits for the connection, if no wait is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// A job, whose pod may start before the network lets it through.
    Job,
    /// A person looking something up.
    Person,
}

impl Patience {
    const fn default_timeout(self) -> Duration {
        match self {
            Self::Job => Duration::from_secs(60),
            Self::Person => Duration::from_secs(5),
        }
    }
}

/// A gRPC server's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let expected = "write https://host:port or http://host:port";
        let parsed = url::Url::parse(&url).map_err(|error| format!("{error}; {expected}"))?;
        match parsed.scheme() {
            "http" | "https" if parsed.has_host() => Ok(Self(url)),
            _ => Err(expected.to_owned()),
        }
    }
}

/// A server, connected to on the first call.
#[derive(Debug, Clone)]
pub struct Connection {
    server: String,
    channel: Channel,
}

impl Connection {
    /// Prepares the connection.
    ///
    /// # Errors
    /// If the URL cannot be that of a gRPC server, or the token or a certificate cannot be used.
    pub fn new(args: &ServerArgs) -> Result<Self, Error> {
        Self::by(&args.client.connector()?, args)
    }

    fn by(connector: &Connector, args: &ServerArgs) -> Result<Self, Error> {
        let ServerUrl(server) = args.server.clone();
        let channel = connector.connect(&server)?;
        Ok(Self { server, channel })
    }

    /// Connects, waiting for a server that refuses connections or cannot be
    /// found yet, and prints that it waits.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if that does not change in time, [`Error::Misaddressed`] if waiting
    /// does not help.
    pub async fn open(args: &ServerArgs, patience: Patience) -> Result<Self, Error> {
        let connector = args.client.connector()?;
        let connection = Self::by(&connector, args)?;
        let timeout = args.connect_timeout.unwrap_or_else(|| patience.default_timeout());
        let give_up_at = Instant::now() + timeout;
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .without_max_times()
            .build();
        let mut has_reported = false;
        while let Err(problem) = connection.try_connect(&connector, give_up_at).await {
            let ConnectProblem { message: problem, is_lasting } = problem;
            if is_lasting {
                return Err(Error::Misaddressed { server: connection.server, problem });
            }
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            if Instant::now() + pause >= give_up_at {
                return Err(Error::Unreachable { server: connection.server, problem });
            }
            if !has_reported {
                let waited = humantime::format_duration(timeout);
                notice(format_args!("waiting up to {waited} for {}: {problem}", connection.server));
                has_reported = true;
            }
            tokio::time::sleep(pause).await;
        }
        Ok(connection)
    }

    /// Connects once, to a freshly resolved address; the error is the reason it failed.
    async fn try_connect(&self, connector: &Connector, give_up_at: Instant) -> Result<(), ConnectProblem> {
        let left = give_up_at.saturating_duration_since(Instant::now()).max(FIRST_PAUSE);
        let limit = left.min(Duration::from_secs(5));
        let connecting = tokio::time::timeout(limit, connector.connect_now(&self.server));
        connecting.await.map_or_else(|_| Err(timed_out()), |connected| connected.map(drop))
    }

    /// Wraps an existing channel to `server`.
    #[must_use]
    pub fn through(server: impl Into<String>, channel: Channel) -> Self {
        Self { server: server.into(), channel }
    }

    /// The server's URL.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// A client of the coordinator.
    #[must_use]
    pub fn pipeline(&self) -> PipelineServiceClient<Channel> {
        PipelineServiceClient::new(self.channel.clone())
    }

    /// A client of the coordinator's quarantine.
    #[must_use]
    pub fn quarantine(&self) -> QuarantineServiceClient<Channel> {
        QuarantineServiceClient::new(self.channel.clone())
    }

    /// A client of the read side.
    #[must_use]
    pub fn activity(&self) -> CompanyActivityServiceClient<Channel> {
        CompanyActivityServiceClient::new(self.channel.clone())
    }

    /// A client that asks the server who calls.
    #[must_use]
    pub fn access(&self) -> AccessServiceClient<Channel> {
        AccessServiceClient::new(self.channel.clone())
    }

    /// What a failed call means to the user.
    #[must_use]
    pub fn failure(&self, status: Status) -> Error {
        if !is_transport_failure(&status) {
            return Error::Refused(Box::new(status));
        }
        let (server, ConnectProblem { message: problem, is_lasting }) =
            (self.server.clone(), ConnectProblem::of(&status));
        if is_lasting {
            Error::Misaddressed { server, problem }
        } else {
            Error::Unreachable { server, problem }
        }
    }
}

fn timed_out() -> ConnectProblem {
    ConnectProblem { message: "the connection timed out".to_owned(), is_lasting: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_url_or_host_and_port() {
        for (text, url) in [
            ("http://10.0.0.1:50051", "http://10.0.0.1:50051"),
            ("coordinator:50051", "http://coordinator:50051"),
            ("[::1]:50051", "http://[::1]:50051"),
            ("https://activity.example.com", "https://activity.example.com"),
        ] {
            assert_eq!(text.parse(), Ok(ServerUrl(url.to_owned())), "{text}");
        }
        for text in ["", "ftp://host", "http://", "host:port"] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_flag_of_a_client_may_stand_after_a_subcommand() {
        let command = ServerArgs::augment_args(clap::Command::new("runs"));
        let flags: Vec<&str> = command.get_arguments().map(|arg| arg.get_id().as_str()).collect();
        assert!(CLIENT_FLAGS.iter().all(|flag| flags.contains(flag)), "{flags:?}");
        for arg in command.get_arguments() {
            assert!(arg.is_global_set(), "{}", arg.get_id());
            assert_eq!(arg.get_help_heading(), Some("Connection"), "{}", arg.get_id());
        }
    }

    #[tokio::test]
    async fn a_server_that_comes_late_is_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let server = address.to_string().parse().unwrap();
        let args = ServerArgs {
            server,
            connect_timeout: Some(Duration::from_secs(30)),
            client: ClientArgs::default(),
        };
        let (opened, ()) = tokio::join!(Connection::open(&args, Patience::Job), async {
            tokio::task::yield_now().await;
            let listener = tokio::net::TcpListener::bind(address).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            drop(stream);
        });
        assert!(opened.is_ok(), "{opened:?}");
    }

    #[tokio::test]
    async fn a_server_that_stays_away_is_given_up() {
        let server = "127.0.0.1:1".parse().unwrap();
        let args = ServerArgs {
            server,
            connect_timeout: Some(Duration::from_millis(300)),
            client: ClientArgs::default(),
        };
        let error = Connection::open(&args, Patience::Job).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot reach http://127.0.0.1:1: "), "{error}");
    }

    #[tokio::test]
    async fn an_unreachable_server_is_named_with_what_to_do() {
        // Port 1 of the loopback address is reserved, and nothing listens on it.
        let server = "127.0.0.1:1".parse().unwrap();
        let connection =
            Connection::new(&ServerArgs { server, connect_timeout: None, client: ClientArgs::default() })
                .unwrap();
        let request = proto::activity::v1::GetFreshnessRequest {};
        let status = connection.activity().get_freshness(request).await.unwrap_err();
        let message = connection.failure(status).to_string();
        assert!(message.starts_with("cannot reach http://127.0.0.1:1: "), "{message}");
        assert!(message.contains("--server"), "{message}");
    }
}
