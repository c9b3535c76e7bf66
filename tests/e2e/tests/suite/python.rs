//! The contracts suffice for a client in another language.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use e2e::{fact_table::FactTable, in_time, suite::Suite, tools, vectors::Vector, workspace_root};
use tokio::process::Command;

#[tokio::test]
async fn a_python_client_reads_the_published_table() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;

    let mut client = Command::new(tools::python()?.join("bin/python"));
    client
        .arg(workspace_root().join("tests/python/list_activity.py"))
        .arg(workspace_root().join("proto"))
        .arg(suite.address_of("activity")?.to_string())
        .args([vector.window.start().to_string(), vector.window.end().to_string()])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = in_time("the Python client", client.output()).await??;
    let reported = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the Python client failed: {}\n{reported}", output.status);
    let rows = String::from_utf8(output.stdout)?;
    FactTable::parse_json(&rows).context("the client's output")?.must_equal(&vector.expected)
}
