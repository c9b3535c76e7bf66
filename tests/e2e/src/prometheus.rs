//! Debian's Prometheus: the server, and `promtool`, which checks its input.

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
};

use crate::{admin::Admin, found, in_time, tools};

/// Runs promtool, with `input` as its standard input.
///
/// # Errors
/// If it finds a problem; the error contains it.
pub async fn promtool(arguments: &[&str], input: &str) -> Result<()> {
    let mut child = Command::new(tools::prometheus()?.join("promtool"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run promtool")?;
    let mut pipe = child.stdin.take().context("it has no input")?;
    let written = async {
        pipe.write_all(input.as_bytes()).await?;
        drop(pipe);
        child.wait_with_output().await
    };
    let Output { status, stdout, stderr } = in_time("promtool", written).await??;
    let reported = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "promtool {}: {status}\n{reported}", arguments.join(" "));
    Ok(())
}

/// A rule, as reported by the server.
#[derive(Debug)]
pub struct Rule {
    /// The alert's name.
    pub name: String,
    /// Its expression.
    pub expression: String,
    /// Whether the server could evaluate it: `ok`, `err`, or `unknown` before it tried.
    pub health: String,
    /// `inactive`, `pending` or `firing`.
    pub state: String,
}

/// A running server that scrapes every second. Dropping it ends it.
#[derive(Debug)]
pub struct Prometheus {
    url: String,
    client: reqwest::Client,
    _child: Child,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts a server that scrapes `services` and evaluates the rules in a file.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(services: &[Admin], rules: &Path) -> Result<Self> {
        let folder = TempDir::new()?;
        let config = folder.path().join("prometheus.yml");
        fs::write(&config, configuration(services, rules)?)?;
        let mut child = Command::new(tools::prometheus()?.join("prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run prometheus")?;
        let mut lines = BufReader::new(child.stderr.take().context("it has no log")?).lines();
        let url = in_time("the start of Prometheus", async {
            let mut log = Vec::new();
            while let Some(line) = lines.next_line().await? {
                if let Some((_, address)) = line.split_once(r#"msg="Listening on" address="#) {
                    return Ok(format!("http://{address}"));
                }
                log.push(line);
            }
            bail!("Prometheus ended before it listened:\n{}", log.join("\n"))
        })
        .await??;
        // Keep reading, so that it never blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let client = reqwest::Client::builder().no_proxy().build()?;
        let server = Self { url, client, _child: child, _folder: folder };
        // It listens before it is ready to answer.
        found("the readiness of Prometheus", async || {
            let answer = server.client.get(format!("{}/-/ready", server.url)).send().await?;
            Ok(answer.status().is_success().then_some(()))
        })
        .await?;
        Ok(server)
    }

    /// The current result series of a query; empty if there are none.
    ///
    /// # Errors
    /// If the server refuses it.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let answer = self.get("/api/v1/query", &[("query", expression)]).await?;
        let result = answer["result"].as_array().context("the answer has no result")?;
        Ok(result.clone())
    }

    /// The rules.
    ///
    /// # Errors
    /// If the server's answer is not as expected.
    pub async fn rules(&self) -> Result<Vec<Rule>> {
        let answer = self.get("/api/v1/rules", &[]).await?;
        let groups = answer["groups"].as_array().context("the answer has no groups")?;
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().into_iter().flatten());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(rules
            .map(|rule| Rule {
                name: text(&rule["name"]),
                expression: text(&rule["query"]),
                health: text(&rule["health"]),
                state: text(&rule["state"]),
            })
            .collect())
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let response = self.client.get(format!("{}{path}", self.url)).query(parameters).send().await?;
        let mut answer: Value = response.json().await?;
        ensure!(answer["status"] == "success", "Prometheus refuses {path} {parameters:?}: {answer}");
        Ok(answer["data"].take())
    }
}

/// The configuration as JSON, which is also YAML.
fn configuration(services: &[Admin], rules: &Path) -> Result<String> {
    let targets: Vec<String> = services.iter().map(|service| service.address().to_string()).collect();
    Ok(serde_json::to_string(&json!({
        "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
        "rule_files": [rules.canonicalize()?],
        "scrape_configs": [{
            "job_name": "company-activity",
            "static_configs": [{ "targets": targets }],
        }],
    }))?)
}
