//! The services of the suite, as the chart's table has them.

use std::sync::LazyLock;

use serde::Deserialize;

/// A row of the table.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    #[serde(default)]
    stages: bool,
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

/// Every service.
#[must_use]
pub fn all() -> Vec<&'static str> {
    names(|_| true)
}

/// The services that a suite always has.
#[must_use]
pub fn always() -> Vec<&'static str> {
    names(|row| row.optional.is_none())
}

/// Whether a service executes stages, so that the coordinator calls it.
#[must_use]
pub fn has_stages(name: &str) -> bool {
    ROWS.iter().any(|row| row.name == name && row.stages)
}
