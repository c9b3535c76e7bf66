//! The shipped dashboards, as Grafana would use them.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use domain::DateWindow;
use serde_json::Value;

use crate::workspace_root;

/// The folder with the files for Prometheus and Grafana.
#[must_use]
pub fn chart() -> PathBuf {
    workspace_root().join("helm/company-activity")
}

/// A panel's query.
#[derive(Debug)]
pub struct Query {
    /// The panel's title.
    pub panel: String,
    /// PromQL or SQL.
    pub text: String,
}

/// The queries of every Prometheus dashboard, over the last minute.
///
/// # Errors
/// If a dashboard cannot be read.
pub fn prometheus_queries() -> Result<Vec<Query>> {
    let over_a_minute = |text: &str| text.replace("$__rate_interval", "1m");
    queries("prometheus", "expr", over_a_minute)
}

/// The queries of every Postgres dashboard, over a window of days.
///
/// # Errors
/// If a dashboard cannot be read.
pub fn postgres_queries(window: DateWindow) -> Result<Vec<Query>> {
    let over_the_window = |text: &str| {
        text.replace("$__timeFrom()", &format!("'{}T00:00:00Z'", window.start()))
            .replace("$__timeTo()", &format!("'{}T23:59:59Z'", window.end()))
    };
    queries("postgres", "rawSql", over_the_window)
}

fn queries(source: &str, field: &str, expand: impl Fn(&str) -> String) -> Result<Vec<Query>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(chart().join("dashboards"))? {
        let path = entry?.path();
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let panels = dashboard["panels"].as_array().with_context(|| format!("{}", path.display()))?;
        for panel in panels.iter().filter(|panel| panel["datasource"]["type"] == source) {
            let title = panel["title"].as_str().unwrap_or_default();
            for target in panel["targets"].as_array().into_iter().flatten() {
                let text = target[field].as_str().with_context(|| format!("{title} has no {field}"))?;
                let text = expand(text);
                ensure!(!text.contains("$__"), "{title}: unknown variable in {text}");
                found.push(Query { panel: title.to_owned(), text });
            }
        }
    }
    ensure!(!found.is_empty(), "no dashboard asks {source} for anything");
    Ok(found)
}
