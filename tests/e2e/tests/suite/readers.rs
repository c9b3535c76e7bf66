//! What readers see while the table changes.

use anyhow::{Context as _, Result};
use domain::DateWindow;
use e2e::{
    fact_table::FactTable,
    runs::has_ended,
    settings::{Layout, Settings},
    sql_reader::{SqlReader, Watch},
    suite::Suite,
    vectors::Vector,
};
use proto::activity::v1::{ExportCompanyActivityRequest, GetFreshnessRequest};
use proto::pipeline::v1::RunState;
use sample_sources::{World, WorldOptions};
use test_postgres::Database;

/// A published table, and a run that changes every company on every day.
struct Change {
    suite: Suite,
    days: DateWindow,
    old: FactTable,
}

impl Change {
    async fn prepare(layout: Layout, settings: Settings) -> Result<Self> {
        let world = World::generate(WorldOptions { companies: 300, days: 6, ..WorldOptions::default() });
        let suite = Suite::start(layout, settings).await?;
        suite.sources.put_world(&world, world.end())?;
        let (first, last) = (world.days().next(), world.days().last());
        let days = DateWindow::new(first.context("no days")?, last.context("no days")?)?;
        suite.publish(days).await?;
        let old = suite.fact(days).await?;
        for day in days.days() {
            let records = suite.sources.book.records(day).into_iter();
            let more = records.map(|record| record.replace("\"events\":", "\"events\":1"));
            suite.sources.book.replace_day(day, more.collect::<Vec<_>>())?;
        }
        Ok(Self { suite, days, old })
    }

    /// Publishes the change while others read through the read side.
    async fn publish_before_readers(&self) -> Result<()> {
        let Self { suite, days, old } = self;
        let run_id = suite.trigger(*days, true).await?.run.context("no run")?.run_id;
        let mut seen = Vec::new();
        while !has_ended(&suite.run(&run_id).await?) {
            seen.push(suite.fact(*days).await?);
        }
        assert_eq!(suite.run(&run_id).await?.state(), RunState::Succeeded);
        let new = suite.fact(*days).await?;
        assert!(new.must_equal(old).is_err(), "nothing changed, so nothing was tested");
        assert!(!seen.is_empty(), "the run was over at once, so nothing was tested");
        for table in &seen {
            let old_or_new = table.must_equal(old).or_else(|_| table.must_equal(&new));
            old_or_new.context("a reader saw a mixture")?;
        }
        Ok(())
    }
}

async fn readers_see_old_or_new(layout: Layout) -> Result<()> {
    Change::prepare(layout, Settings::default()).await?.publish_before_readers().await
}

#[tokio::test]
async fn readers_of_one_process_see_the_old_table_or_the_new_one() -> Result<()> {
    readers_see_old_or_new(Layout::Standalone).await
}

#[tokio::test]
async fn readers_of_another_process_see_the_old_table_or_the_new_one() -> Result<()> {
    readers_see_old_or_new(Layout::Separate).await
}

#[tokio::test]
async fn readers_of_postgres_see_the_old_table_or_the_new_one() -> Result<()> {
    let database = Database::create().await?;
    let url = database.url();
    let settings = Settings::default().warehouse(url.clone());
    let change = Change::prepare(Layout::Separate, settings).await?;

    let (old, watch) = Watch::start(&url, change.days).await?;
    change.publish_before_readers().await?;
    let mut seen = watch.end().await?;
    let mut reader = SqlReader::connect(&url).await?;
    let new = reader.read(change.days).await?;
    reader.close().await?;
    assert_eq!((old.len(), new.len()), (6, 6));
    for (day, before) in &old {
        let after = &new[day];
        assert!(
            before.rows != after.rows && before.published_at < after.published_at,
            "{day} did not change"
        );
        assert_eq!((before.ledger, after.ledger), (before.rows, after.rows), "{day}: the ledger is wrong");
    }
    // Distinct consecutive results: the old days, then the new ones, and nothing in between.
    if seen.last() != Some(&new) {
        seen.push(new.clone());
    }
    assert_eq!(seen, [old, new]);
    Ok(())
}

#[tokio::test]
async fn answers_say_which_run_published_them() -> Result<()> {
    let suite = Suite::separate().await?;
    let vector = Vector::snapshots()?;
    vector.deliver(&suite.sources)?;
    let run = suite.run_to_end(vector.window, false).await?;
    let mut activity = suite.activity()?;

    let freshness = activity.get_freshness(GetFreshnessRequest {}).await?.into_inner();
    let newest = freshness.newest.context("nothing is published")?;
    assert_eq!((newest.run_id.as_str(), newest.activity_date.as_str()), (run.run_id.as_str(), "2026-02-20"));
    assert_eq!(freshness.published_days, 22);

    let all = ExportCompanyActivityRequest {
        start_date: vector.window.start().to_string(),
        end_date: vector.window.end().to_string(),
        ..ExportCompanyActivityRequest::default()
    };
    let mut export = activity.export_company_activity(all.clone()).await?.into_inner();
    let first = export.message().await?.context("the export is empty")?;
    assert_eq!(first.publication.context("no publication")?.run_id, run.run_id);
    assert_eq!(first.publications.len(), 22);
    assert!(first.publications.iter().all(|entry| entry.run_id == run.run_id));
    assert_eq!(first.as_of_run_id, run.run_id);
    let mut rows = first.activities.len();
    while let Some(batch) = export.message().await? {
        assert!(batch.publication.is_none());
        rows += batch.activities.len();
    }
    assert_eq!(rows, vector.expected.len());

    let as_of = ExportCompanyActivityRequest { as_of_run_id: run.run_id, ..all };
    let mut pinned = activity.export_company_activity(as_of).await?.into_inner();
    assert_eq!(pinned.message().await?.context("the export is empty")?.activities, first.activities);
    Ok(())
}

#[tokio::test]
async fn nothing_is_there_before_something_is_published() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    assert!(suite.fact(vector.window).await?.is_empty());
    let freshness = suite.activity()?.get_freshness(GetFreshnessRequest {}).await?.into_inner();
    assert_eq!((freshness.newest, freshness.published_days), (None, 0));
    FactTable::parse(&suite.fact_csv(vector.window).await?).map(drop)
}
