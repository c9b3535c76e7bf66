//! The suite behaves on Postgres as on the embedded engine.

use anyhow::Result;
use domain::DateWindow;
use e2e::{
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    vectors::Vector,
};
use test_postgres::Database;

/// Publishes one day after the other, restarting the suite between them.
async fn day_by_day(layout: Layout, restarts: &'static str, vector: Vector) -> Result<()> {
    let database = Database::create().await?;
    let mut suite = Suite::start(layout, Settings::default().warehouse(database.url())).await?;
    vector.deliver(&suite.sources)?;
    for day in vector.window.days() {
        suite.publish(DateWindow::day(day)).await?;
        if day == vector.window.start() {
            suite.restart(restarts).await?;
        }
    }
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}

#[tokio::test]
async fn gaps_come_out_as_written_from_one_process() -> Result<()> {
    day_by_day(Layout::Standalone, ACTIVITYCTL, Vector::gaps()?).await
}

#[tokio::test]
async fn snapshots_come_out_as_written_from_separate_processes() -> Result<()> {
    day_by_day(Layout::Separate, "transform", Vector::snapshots()?).await
}
