//! Days far from everything published, and how to undo them.

use anyhow::Result;
use e2e::{suite::Suite, vectors::Vector};
use proto::pipeline::v1::TriggerRunRequest;
use proto::stage::v1::DateWindow;
use tonic::Code;

async fn published() -> Result<(Suite, Vector)> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    Ok((suite, vector))
}

#[tokio::test]
async fn a_mistyped_year_is_refused_with_the_way_out() -> Result<()> {
    let (suite, vector) = published().await?;
    let end = vector.window.end().to_string();
    for (days, reported) in [
        (["--date", "2006-11-24"].as_slice(), "ask again with --force"),
        (["--date", "0001-01-01"].as_slice(), "is the year mistyped?"),
        (["--date", "2199-01-01"].as_slice(), "the day is not over yet"),
        (["--from", "2006-11-24", "--to", &end].as_slice(), "ask again with --force"),
    ] {
        for command in ["trigger", "backfill"] {
            let days = match days {
                [_, day] if command == "backfill" => vec!["--from", day, "--to", day],
                days => days.to_vec(),
            };
            let outcome = suite.command("coordinator", &[vec![command], days.clone()].concat()).await?;
            assert_eq!(outcome.code, 1, "{command} {days:?}: {outcome:?}");
            assert!(outcome.stderr.contains(reported), "{command} {days:?}: {}", outcome.stderr);
            assert!(outcome.stderr.contains("INVALID_ARGUMENT"), "{command} {days:?}: {}", outcome.stderr);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_far_day_that_was_forced_is_taken_back() -> Result<()> {
    let (suite, _) = published().await?;
    let day = ["--date", "2006-11-24"];
    suite
        .command("coordinator", &[&["trigger", "--force", "--wait"], day.as_slice()].concat())
        .await?
        .success()?;
    let unasked = suite.command("coordinator", &[&["unpublish"], day.as_slice()].concat()).await?;
    assert_eq!(unasked.code, 2, "{unasked:?}");
    let confirmed = [&["unpublish", "--yes"], day.as_slice()].concat();
    let reported = suite.command("coordinator", &confirmed).await?.success()?;
    assert!(reported.contains("rows of 2006-11-24 back (run "), "{reported}");
    let again = suite.command("coordinator", &confirmed).await?;
    assert!(again.stderr.contains("there is nothing to take back"), "{again:?}");
    let listed = suite.command("coordinator", &["runs"]).await?.success()?;
    assert!(listed.contains("UNPUBLISH"), "{listed}");
    Ok(())
}

#[tokio::test]
async fn days_that_were_taken_back_come_out_the_same_again() -> Result<()> {
    let (suite, vector) = published().await?;
    let before = suite.fact(vector.window).await?;
    let day = vector.window.end().to_string();
    suite.command("coordinator", &["unpublish", "--date", &day, "--yes"]).await?.success()?;
    suite.publish(vector.window).await?;
    suite.fact(vector.window).await?.must_equal(&before)
}

#[tokio::test]
async fn accepted_days_are_kept_with_the_run_and_shown() -> Result<()> {
    let (suite, vector) = published().await?;
    let (start, end) = (vector.window.start().to_string(), vector.window.end().to_string());
    let window = DateWindow { start_date: start, end_date: end.clone() };
    let request = |accepted: &str| TriggerRunRequest {
        window: Some(window.clone()),
        accept_empty_days: vec![accepted.to_owned()],
        ..TriggerRunRequest::default()
    };
    for odd in ["soon", "1999-01-01"] {
        let refused = suite.pipeline()?.trigger_run(request(odd)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{odd}: {refused:?}");
    }
    let triggered = suite.pipeline()?.trigger_run(request(&end)).await?.into_inner();
    assert!(triggered.created, "the days have succeeded, but are to be run again");
    let run = triggered.run.unwrap_or_default();
    assert_eq!(run.accept_empty_days, std::slice::from_ref(&end));
    let shown = suite.command("coordinator", &["runs", "show", &run.run_id]).await?.success()?;
    assert!(shown.contains(&format!("accepts what the source answers for {end}")), "{shown}");
    Ok(())
}
