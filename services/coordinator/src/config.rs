//! The coordinator's own flags.

use std::{collections::HashMap, fs, path::PathBuf, str::FromStr, time::Duration};

use anyhow::Context as _;
use chrono::NaiveTime;
use clap::Args as ClapArgs;
use runtime::{Channel, HistoryOptions, WarehouseArgs};

use crate::{
    pipeline::{DAILY_PIPELINE_YAML, Pipeline},
    trace_link::TraceLink,
};

/// Enough for a year and some delay, too little for a mistyped decade.
const DEFAULT_MAX_REACH_DAYS: u64 = 400;

/// The shortest lease that can be renewed in time.
const MIN_LEASE_TTL: Duration = Duration::from_secs(1);

/// How the coordinator works, wherever it runs.
#[derive(Debug, Clone, ClapArgs)]
#[group(skip)]
pub struct Options {
    /// Pipeline file in YAML: stages, their order, timeouts and retries [default: the built-in daily pipeline]
    #[arg(long, env = "PIPELINE_FILE", value_name = "FILE")]
    pub pipeline_file: Option<PathBuf>,

    /// How long a coordinator that has stopped answering keeps its run before another one may take it over
    #[arg(long, env = "LEASE_TTL", value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub lease_ttl: Duration,

    /// What this coordinator's leases are held under, beside an id of its own that every start makes anew: two
    /// coordinators of one name never take a run from each other. One that shuts down gives its lease back; the
    /// run of one that was killed goes on once the lease has expired [default: the host name]
    #[arg(long, env = "HOLDER", value_name = "NAME")]
    pub holder: Option<String>,

    /// Whether nothing but this process can be the coordinator, so that its name alone holds leases and an
    /// interrupted run goes on at once; decided by who assembles it
    #[arg(skip)]
    pub is_only_coordinator: bool,

    /// How many days the days of a trigger or backfill may lie before the oldest or after the newest published
    /// one without --force; and how far before the newest one the schedule heals gaps without --history-start
    #[arg(long, env = "MAX_REACH", value_name = "DAYS", default_value_t = DEFAULT_MAX_REACH_DAYS)]
    pub max_reach: u64,

    /// How long to wait for a connection to a service whose stage is due before the stage fails, and how long
    /// attempts that a lost connection cut off do not count
    #[arg(long, env = "STAGE_CONNECT_TIMEOUT", value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    pub stage_connect_timeout: Duration,

    /// Where people open a trace, with {trace_id} in its place, for example
    /// http://localhost:16686/trace/{trace_id}; alerts and `activityctl runs show` link to it [default: none]
    #[arg(long, env = "TRACE_URL", value_name = "URL")]
    pub trace_url: Option<TraceLink>,

    /// The time of day (UTC) by which the day before is to be published; people are alerted if it is not, also
    /// if nobody triggered it. Two hours after the trigger is a good time [default: none, nobody is alerted]
    #[arg(long, env = "PUBLISH_DEADLINE", value_name = "HH:MM", value_parser = parse_time_of_day)]
    pub publish_deadline: Option<NaiveTime>,
}

fn parse_time_of_day(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M")
        .map_err(|_| format!("{text:?} is no time of day; write for example 08:00"))
}

const WAREHOUSE_HELP: &str = "Database to keep runs and the alert outbox in, for example sqlite:///var/lib/company-activity/warehouse.sqlite";

/// The arguments of the stand-alone coordinator.
#[derive(Debug, Clone, ClapArgs)]
#[command(mut_arg("warehouse_url", |arg| arg.help(WAREHOUSE_HELP)))]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub options: Options,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub history: HistoryOptions,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub warehouse: WarehouseArgs,

    /// Where a service of the pipeline executes its stages, for example ingest-crm=http://127.0.0.1:50052; may be repeated
    #[arg(long = "stage-endpoint", env = "STAGE_ENDPOINT", value_name = "NAME=URL", value_delimiter = ',')]
    pub stage_endpoints: Vec<StageEndpoint>,

    /// Where the notifier takes alerts; without it alerts go to the log only
    #[arg(long, env = "NOTIFIER_URL", value_name = "URL")]
    pub notifier_url: Option<String>,
}

/// The address of a service that executes stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageEndpoint {
    /// The service's name in the pipeline file.
    pub service: String,
    /// Its URL.
    pub url: String,
}

impl FromStr for StageEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().split_once('=') {
            Some((service, url)) if !service.is_empty() && !url.is_empty() => {
                Ok(Self { service: service.to_owned(), url: url.to_owned() })
            }
            _ => Err(format!("{text:?} is no NAME=URL; write for example ingest-crm=http://127.0.0.1:50052")),
        }
    }
}

/// The channels to other services.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    /// The services that execute stages, by their name in the pipeline file.
    pub stages: HashMap<String, Channel>,
    /// The URLs of services reached over the network, which get a new
    /// connection for every attempt; the others are in this process.
    pub stage_urls: HashMap<String, String>,
    /// The notifier; without one, alerts go to the log only.
    pub notifier: Option<Channel>,
}

impl Args {
    /// Channels to all named services. They connect on first use.
    ///
    /// # Errors
    /// If a URL is invalid, or a service is named twice.
    pub fn connections(&self) -> anyhow::Result<Connections> {
        let mut stages = HashMap::new();
        let mut stage_urls = HashMap::new();
        for StageEndpoint { service, url } in &self.stage_endpoints {
            let channel =
                runtime::channel::connect(url).with_context(|| format!("--stage-endpoint {service}"))?;
            stage_urls.insert(service.clone(), url.clone());
            if stages.insert(service.clone(), channel).is_some() {
                anyhow::bail!("--stage-endpoint {service} is given twice");
            }
        }
        let connect_notifier = |url: &String| runtime::channel::connect(url).context("--notifier-url");
        Ok(Connections {
            stages,
            stage_urls,
            notifier: self.notifier_url.as_ref().map(connect_notifier).transpose()?,
        })
    }
}

impl Options {
    /// The pipeline of the file, or the built-in one.
    ///
    /// # Errors
    /// If the file cannot be read or is invalid.
    pub fn pipeline(&self) -> anyhow::Result<Pipeline> {
        let Some(file) = &self.pipeline_file else {
            return Ok(Pipeline::parse(DAILY_PIPELINE_YAML)?);
        };
        let name = file.display();
        let yaml =
            fs::read_to_string(file).with_context(|| format!("cannot read the pipeline file {name}"))?;
        Pipeline::parse(&yaml).with_context(|| format!("the pipeline file {name} is not usable"))
    }

    /// The lease's duration, if it leaves time to renew it.
    pub(crate) fn checked_lease_ttl(&self) -> anyhow::Result<Duration> {
        if self.lease_ttl < MIN_LEASE_TTL {
            anyhow::bail!("--lease-ttl {:?} is shorter than {MIN_LEASE_TTL:?}", self.lease_ttl);
        }
        Ok(self.lease_ttl)
    }

    /// The holder of leases: a name plus the id of this start, which is unique.
    pub(crate) fn holder(&self, start_id: &str) -> String {
        let host = || std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
        match self.holder.clone().or_else(host) {
            Some(name) if self.is_only_coordinator => name,
            Some(name) => format!("{name}/{start_id}"),
            None => start_id.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: Args,
    }

    fn parse(flags: &[&str]) -> Result<Args, clap::Error> {
        let line = ["coordinator", "--warehouse-url", "sqlite::memory:"].iter().chain(flags);
        CommandLine::try_parse_from(line).map(|line| line.args)
    }

    #[test]
    fn every_flag_is_also_an_environment_variable_and_the_warehouse_is_not_shown() {
        let command = CommandLine::command();
        for (flag, variable) in command.get_arguments().map(|arg| (arg.get_long(), arg.get_env())) {
            let expected = flag.unwrap().replace('-', "_").to_uppercase();
            assert_eq!(variable.unwrap().to_str(), Some(expected.as_str()));
        }
        let warehouse = command.get_arguments().find(|arg| arg.get_id() == "warehouse_url");
        assert!(warehouse.unwrap().is_hide_env_values_set());
    }

    #[tokio::test]
    async fn endpoints_may_be_repeated_or_listed() {
        let args =
            parse(&["--stage-endpoint", "a=http://h:1,b=http://h:2", "--stage-endpoint", "c=http://h:3"]);
        let connections = args.unwrap().connections().unwrap();
        let mut services: Vec<&str> = connections.stages.keys().map(String::as_str).collect();
        services.sort_unstable();
        assert_eq!(services, ["a", "b", "c"]);
        assert!(connections.notifier.is_none());
    }

    #[tokio::test]
    async fn an_endpoint_that_is_none_is_refused() {
        assert!(parse(&["--stage-endpoint", "http://h:1"]).unwrap_err().to_string().contains("NAME=URL"));
        let twice = parse(&["--stage-endpoint", "a=http://h:1,a=http://h:2"]).unwrap();
        assert_eq!(twice.connections().unwrap_err().to_string(), "--stage-endpoint a is given twice");
        let no_url = parse(&["--notifier-url", "not a url"]).unwrap();
        assert_eq!(no_url.connections().unwrap_err().to_string(), "--notifier-url");
    }

    #[test]
    fn a_broken_pipeline_file_is_refused_by_its_name() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"name: pl\nstages: []\non_failure: {name: a, service: notifier}").unwrap();
        let path = file.path().display().to_string();
        let error = parse(&["--pipeline-file", &path]).unwrap().options.pipeline().unwrap_err();
        let message = format!("{error:#}");
        assert!(message.contains(&path) && message.contains("at least one stage"), "{message}");
    }

    #[test]
    fn a_lease_too_short_to_renew_is_refused() {
        assert!(parse(&["--lease-ttl", "10ms"]).unwrap().options.checked_lease_ttl().is_err());
        assert_eq!(parse(&[]).unwrap().options.checked_lease_ttl().unwrap(), Duration::from_secs(30));
    }

    #[test]
    fn a_deadline_is_a_time_of_day() {
        let given = |text| parse(&["--publish-deadline", text]).map(|args| args.options.publish_deadline);
        assert_eq!(given("08:30").unwrap(), NaiveTime::from_hms_opt(8, 30, 0));
        assert!(given("8h").unwrap_err().to_string().contains("is no time of day"));
    }

    #[test]
    fn two_starts_under_one_name_are_two_holders() {
        let mut options = parse(&["--holder", "coordinator-0"]).unwrap().options;
        assert_eq!(options.holder("1"), "coordinator-0/1");
        assert_ne!(options.holder("1"), options.holder("2"));
        options.is_only_coordinator = true;
        assert_eq!(options.holder("1"), "coordinator-0");
    }
}
