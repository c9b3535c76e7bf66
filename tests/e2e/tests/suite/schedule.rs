//! Runs without explicit days.

use anyhow::{Context as _, Result};
use chrono::{Days, NaiveDate};
use domain::{DateWindow, date_window::parse_day};
use e2e::{suite::Suite, vectors::Vector};
use proto::pipeline::v1::{ListRunsRequest, Run, RunState, RunTrigger, TriggerRunRequest};

/// Undated, so that it always takes effect.
const EXPORT: &str = "company_id,name,country,industry_tag,last_contact_at\nacme,Acme,US,saas,\n";

/// Requests whatever is missing, as the schedule does, and waits.
async fn scheduled(suite: &Suite) -> Result<(Run, bool)> {
    let answer = suite.pipeline()?.trigger_run(TriggerRunRequest::default()).await?.into_inner();
    let run_id = answer.run.context("no run")?.run_id;
    let run = suite.watch_until(&run_id, |run| run.state() == RunState::Succeeded).await?;
    assert_eq!(run.trigger(), RunTrigger::Scheduled);
    Ok((run, answer.created))
}

fn days_of(run: &Run) -> Result<(NaiveDate, NaiveDate)> {
    let window = run.window.as_ref().context("no window")?;
    let day = |text| parse_day(text).with_context(|| format!("{text:?}"));
    Ok((day(&window.start_date)?, day(&window.end_date)?))
}

fn add_usage(suite: &Suite, day: NaiveDate) -> Result<()> {
    suite.sources.add_usage(&format!(r#"{{"company_id":"acme","date":"{day}","active_users":2,"events":6}}"#))
}

#[tokio::test]
async fn a_scheduled_run_heals_the_days_that_were_missed_up_to_yesterday() -> Result<()> {
    let suite = Suite::standalone().await?;
    suite.sources.put_export("companies.csv", EXPORT)?;
    let (first, _) = scheduled(&suite).await?;
    let (start, yesterday) = days_of(&first)?;
    assert_eq!(start, yesterday, "nothing was published, so there was no gap");

    let before = |days| yesterday.checked_sub_days(Days::new(days)).context("there is a day before");
    for days in 0..=6 {
        add_usage(&suite, before(days)?)?;
    }
    suite.publish(DateWindow::new(before(6)?, before(4)?)?).await?;
    let (healing, created) = scheduled(&suite).await?;
    assert!(created);
    assert_eq!(days_of(&healing)?, (before(3)?, yesterday));

    let csv = suite.fact_csv(DateWindow::new(before(6)?, yesterday)?).await?;
    assert_eq!(csv.lines().count(), 1 + 7, "{csv}");
    assert!(csv.lines().skip(1).all(|row| row.contains(",2,6,")), "{csv}");

    let (again, created) = scheduled(&suite).await?;
    assert_eq!((again.run_id, created), (healing.run_id, false));
    Ok(())
}

#[tokio::test]
async fn a_backfill_runs_the_missing_days_in_chunks() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(DateWindow::parse("2026-01-08", "2026-01-10")?).await?;
    let backfill = ["backfill", "--from", "2026-01-01", "--to", "2026-01-24", "--chunk-days", "5"];
    suite.command("coordinator", &backfill).await?.success()?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)?;

    let runs =
        suite.pipeline()?.list_runs(ListRunsRequest { page_size: 100, ..ListRunsRequest::default() }).await?;
    let runs = runs.into_inner().runs;
    assert!(runs.len() > 4, "{} runs", runs.len());
    for run in runs.iter().filter(|run| run.trigger() == RunTrigger::Backfill) {
        let (start, end) = days_of(run)?;
        assert!((end - start).num_days() < 5, "{run:?}");
        assert!(
            end < parse_day("2026-01-08").context("a day")?
                || start > parse_day("2026-01-10").context("a day")?
        );
    }
    // Repeated, it has nothing to do.
    suite.command("coordinator", &backfill).await?.success()?;
    let after =
        suite.pipeline()?.list_runs(ListRunsRequest { page_size: 100, ..ListRunsRequest::default() }).await?;
    assert_eq!(after.into_inner().runs.len(), runs.len());
    Ok(())
}
