//! The connection of a client command to its server.

use std::{str::FromStr, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use clap::Args;
use contract::is_transport_failure;
use proto::{
    activity::v1::company_activity_service_client::CompanyActivityServiceClient,
    pipeline::v1::pipeline_service_client::PipelineServiceClient,
};
use runtime::Channel;
use tokio::time::Instant;
use tonic::Status;

use crate::{
    error::{Error, root_cause},
    output::notice,
};

/// The first and the longest wait between attempts to reach a server.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Which server a client command talks to.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct ServerArgs {
    /// The server to talk to: a URL, or host:port
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
        let parsed = url::Url::parse(&url).map_err(|error| format!("{error}; write http://host:port"))?;
        match parsed.scheme() {
            "http" if parsed.has_host() => Ok(Self(url)),
            _ => Err("write http://host:port".to_owned()),
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
    /// If the URL cannot be that of a gRPC server.
    pub fn new(args: &ServerArgs) -> Result<Self, Error> {
        let ServerUrl(server) = args.server.clone();
        let channel = runtime::channel::connect(&server)?;
        Ok(Self { server, channel })
    }

    /// Connects, waiting for a server that refuses connections or cannot be
    /// found yet, and prints that it waits.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if that does not change in time.
    pub async fn open(args: &ServerArgs, patience: Patience) -> Result<Self, Error> {
        let connection = Self::new(args)?;
        let timeout = args.connect_timeout.unwrap_or_else(|| patience.default_timeout());
        let give_up_at = Instant::now() + timeout;
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .without_max_times()
            .build();
        let mut has_reported = false;
        while let Err(problem) = connection.try_connect(give_up_at).await {
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
    async fn try_connect(&self, give_up_at: Instant) -> Result<(), String> {
        let left = give_up_at.saturating_duration_since(Instant::now()).max(FIRST_PAUSE);
        let limit = left.min(Duration::from_secs(5));
        match tokio::time::timeout(limit, runtime::channel::connect_now(&self.server)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.root_cause().to_string()),
            Err(_) => Err("the connection timed out".to_owned()),
        }
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

    /// A client of the read side.
    #[must_use]
    pub fn activity(&self) -> CompanyActivityServiceClient<Channel> {
        CompanyActivityServiceClient::new(self.channel.clone())
    }

    /// What a failed call means to the user.
    #[must_use]
    pub fn failure(&self, status: Status) -> Error {
        if is_transport_failure(&status) {
            Error::Unreachable { server: self.server.clone(), problem: root_cause(&status) }
        } else {
            Error::Refused(Box::new(status))
        }
    }
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
        ] {
            assert_eq!(text.parse(), Ok(ServerUrl(url.to_owned())), "{text}");
        }
        for text in ["", "ftp://host", "http://", "host:port", "https://activity.example.com"] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_server_that_comes_late_is_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let server = address.to_string().parse().unwrap();
        let args = ServerArgs { server, connect_timeout: Some(Duration::from_secs(30)) };
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
        let args = ServerArgs { server, connect_timeout: Some(Duration::from_millis(300)) };
        let error = Connection::open(&args, Patience::Job).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot reach http://127.0.0.1:1: "), "{error}");
    }

    #[tokio::test]
    async fn an_unreachable_server_is_named_with_what_to_do() {
        // Port 1 of the loopback address is reserved, and nothing listens on it.
        let server = "127.0.0.1:1".parse().unwrap();
        let connection = Connection::new(&ServerArgs { server, connect_timeout: None }).unwrap();
        let request = proto::activity::v1::GetFreshnessRequest {};
        let status = connection.activity().get_freshness(request).await.unwrap_err();
        let message = connection.failure(status).to_string();
        assert!(message.starts_with("cannot reach http://127.0.0.1:1: "), "{message}");
        assert!(message.contains("--server"), "{message}");
    }
}
