//! A real Jaeger, and its query API.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::trace::{Span, Trace, cause_in};

/// How long Jaeger may take to start, and traces to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often to poll.
const POLL: Duration = Duration::from_millis(200);

/// A running Jaeger that keeps traces in memory. Dropping it ends it.
#[derive(Debug)]
pub struct Jaeger {
    otlp: SocketAddr,
    query: SocketAddr,
    client: reqwest::Client,
    _child: Child,
    _folder: TempDir,
}

impl Jaeger {
    /// Starts the `jaeger` in the `bin` of `installed`.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(installed: &Path) -> Result<Self> {
        let program = installed.join("bin/jaeger");
        let folder = TempDir::new()?;
        let [otlp, query, grpc] = free_ports()?;
        let config = folder.path().join("config.yaml");
        std::fs::write(&config, configuration(otlp, query, grpc))?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let child = Command::new(&program)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let jaeger = Self { otlp, query, client, _child: child, _folder: folder };
        jaeger.wait_until_it_answers().await?;
        Ok(jaeger)
    }

    /// The value for `--otlp-endpoint`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.otlp)
    }

    /// Waits until a trace is as `wanted`, and returns it.
    ///
    /// # Errors
    /// If it does not arrive in time; the error shows what did.
    pub async fn trace(&self, trace_id: &str, wanted: impl Fn(&Trace) -> bool) -> Result<Trace> {
        let mut newest = Trace::among(&[], trace_id);
        let arrived = tokio::time::timeout(PATIENCE, async {
            let mut polls = tokio::time::interval(POLL);
            loop {
                polls.tick().await;
                if let Some(trace) = self.ask(trace_id).await? {
                    newest = trace;
                    if wanted(&newest) {
                        return anyhow::Ok(());
                    }
                }
            }
        })
        .await;
        if let Ok(outcome) = arrived {
            outcome?;
            return Ok(newest);
        }
        anyhow::bail!("Jaeger's trace is not as expected after {PATIENCE:?}:\n{newest}")
    }

    /// The spans of the trace that have arrived; `None` if there are none.
    async fn ask(&self, trace_id: &str) -> Result<Option<Trace>> {
        let url = format!("http://{}/api/traces/{trace_id}", self.query);
        let response = self.client.get(url).send().await?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let found: Found = response.error_for_status()?.json().await?;
        let spans: Vec<Span> = found.data.into_iter().flat_map(FoundTrace::into_spans).collect();
        Ok(Some(Trace::among(&spans, trace_id)))
    }

    async fn wait_until_it_answers(&self) -> Result<()> {
        let url = format!("http://{}/api/services", self.query);
        let answered = tokio::time::timeout(PATIENCE, async {
            let mut polls = tokio::time::interval(POLL);
            loop {
                polls.tick().await;
                let answer = self.client.get(&url).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
            }
        });
        ensure!(answered.await.is_ok(), "Jaeger did not answer within {PATIENCE:?}");
        Ok(())
    }
}

/// The folder of Jaeger, which the first call installs.
///
/// # Errors
/// If it cannot be built; the error says why.
pub fn install() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../setup/jaeger.sh");
    let output = std::process::Command::new(&script).stdin(Stdio::null()).output()?;
    let reported = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "Jaeger could not be built:\n{reported}");
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// Free ports. Jaeger cannot be asked which ones it chose itself.
fn free_ports() -> Result<[SocketAddr; 3]> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let held = [listen()?, listen()?, listen()?];
    let [otlp, query, grpc] = held.each_ref().map(TcpListener::local_addr);
    Ok([otlp?, query?, grpc?])
}

fn configuration(otlp: SocketAddr, query: SocketAddr, grpc: SocketAddr) -> String {
    format!(
        "service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {{ receivers: [otlp], exporters: [jaeger_storage_exporter] }}
  telemetry:
    metrics: {{ level: none }}
extensions:
  jaeger_storage:
    backends:
      memory: {{ memory: {{ max_traces: 10000 }} }}
  jaeger_query:
    storage: {{ traces: memory }}
    http: {{ endpoint: \"{query}\" }}
    grpc: {{ endpoint: \"{grpc}\" }}
receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: \"{otlp}\" }}
exporters:
  jaeger_storage_exporter: {{ trace_storage: memory }}
"
    )
}

#[derive(Deserialize)]
struct Found {
    data: Vec<FoundTrace>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundTrace {
    spans: Vec<FoundSpan>,
    processes: std::collections::BTreeMap<String, FoundProcess>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundProcess {
    service_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundSpan {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: String,
    references: Vec<FoundReference>,
    /// In microseconds since 1970.
    start_time: u64,
    duration: u64,
    tags: Vec<FoundTag>,
    logs: Vec<FoundLog>,
    #[serde(rename = "processID")]
    process_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundReference {
    ref_type: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
struct FoundTag {
    key: String,
    value: Value,
}

#[derive(Deserialize)]
struct FoundLog {
    fields: Vec<FoundTag>,
}

impl FoundTag {
    fn text(&self) -> String {
        self.value.as_str().map_or_else(|| self.value.to_string(), ToOwned::to_owned)
    }
}

impl FoundTrace {
    fn into_spans(self) -> Vec<Span> {
        let processes = self.processes;
        let service = |id: &str| processes.get(id).map(|process| process.service_name.clone());
        self.spans.into_iter().map(|span| span.into_span(service)).collect()
    }
}

impl FoundSpan {
    fn into_span(self, service: impl Fn(&str) -> Option<String>) -> Span {
        let of_type = |wanted: &str| {
            let wanted = wanted.to_owned();
            self.references.iter().filter(move |reference| reference.ref_type == wanted)
        };
        let tag = |key: &str| self.tags.iter().find(|tag| tag.key == key).map(FoundTag::text);
        let name = |log: &FoundLog| log.fields.iter().find(|field| field.key == "event").map(FoundTag::text);
        let cause =
            |log: &FoundLog| cause_in(log.fields.iter().map(|field| (field.key.clone(), field.text())));
        Span {
            parent_id: of_type("CHILD_OF").next().map(|parent| parent.span_id.clone()).unwrap_or_default(),
            links: of_type("FOLLOWS_FROM").map(|link| link.span_id.clone()).collect(),
            service: service(&self.process_id).unwrap_or_default(),
            times: (self.start_time * 1_000, (self.start_time + self.duration) * 1_000),
            error: (tag("otel.status_code").as_deref() == Some("ERROR"))
                .then(|| tag("otel.status_description").unwrap_or_default()),
            kind: tag("span.kind").unwrap_or_default(),
            causes: self.logs.iter().filter_map(cause).collect(),
            events: self.logs.iter().filter_map(name).collect(),
            attributes: self.tags.iter().map(|tag| (tag.key.clone(), tag.text())).collect(),
            trace_id: self.trace_id,
            span_id: self.span_id,
            name: self.operation_name,
        }
    }
}
