//! The services of the suite, from the chart's table.

use std::sync::LazyLock;

use serde::Deserialize;

/// A row of the table.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    #[serde(default)]
    stages: bool,
    #[serde(default)]
    site: bool,
    #[serde(default)]
    optional: Option<String>,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the table is built in: a broken one fails every test")]
    serde_saphyr::from_str(include_str!("../../../helm/company-activity/files/services.yaml"))
        .expect("the table of services")
});

fn names(wanted: impl Fn(&Row) -> bool) -> Vec<&'static str> {
    ROWS.iter().filter(|row| wanted(row)).map(|row| row.name.as_str()).collect()
}

/// All services that serve gRPC, and have a warehouse.
#[must_use]
pub fn all() -> Vec<&'static str> {
    names(|row| !row.site)
}

/// The services that serve pages, and have no warehouse.
#[must_use]
pub fn sites() -> Vec<&'static str> {
    names(|row| row.site)
}

/// The services that every suite has.
#[must_use]
pub fn always() -> Vec<&'static str> {
    names(|row| row.optional.is_none())
}

/// Whether a service executes stages, and so is called by the coordinator.
#[must_use]
pub fn has_stages(name: &str) -> bool {
    ROWS.iter().any(|row| row.name == name && row.stages)
}
