//! The connection of a client command to its server.

use std::str::FromStr;

use clap::Args;
use proto::{
    activity::v1::company_activity_service_client::CompanyActivityServiceClient,
    pipeline::v1::pipeline_service_client::PipelineServiceClient,
};
use runtime::Channel;
use tonic::Status;

use crate::error::{Error, is_transport_failure, root_cause};

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
}

/// The URL of a server.
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

/// A server, connected to when first called.
#[derive(Debug, Clone)]
pub struct Connection {
    server: String,
    channel: Channel,
}

impl Connection {
    /// Prepares the connection.
    ///
    /// # Errors
    /// If the URL cannot be one of a gRPC server.
    pub fn new(args: &ServerArgs) -> Result<Self, Error> {
        let ServerUrl(server) = args.server.clone();
        let channel = runtime::channel::connect(&server)?;
        Ok(Self { server, channel })
    }

    /// Wraps a channel that already leads to a server.
    #[must_use]
    pub fn through(server: impl Into<String>, channel: Channel) -> Self {
        Self { server: server.into(), channel }
    }

    /// The server's URL.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The coordinator.
    #[must_use]
    pub fn pipeline(&self) -> PipelineServiceClient<Channel> {
        PipelineServiceClient::new(self.channel.clone())
    }

    /// The read side.
    #[must_use]
    pub fn activity(&self) -> CompanyActivityServiceClient<Channel> {
        CompanyActivityServiceClient::new(self.channel.clone())
    }

    /// What a failed call means for the person who asked.
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
    async fn an_unreachable_server_is_named_with_what_to_do() {
        // Port 1 of the loopback address is reserved and never listened on.
        let server = "127.0.0.1:1".parse().unwrap();
        let connection = Connection::new(&ServerArgs { server }).unwrap();
        let request = proto::activity::v1::GetFreshnessRequest {};
        let status = connection.activity().get_freshness(request).await.unwrap_err();
        let message = connection.failure(status).to_string();
        assert!(message.starts_with("cannot reach http://127.0.0.1:1: "), "{message}");
        assert!(message.contains("activityctl standalone"), "{message}");
    }
}
