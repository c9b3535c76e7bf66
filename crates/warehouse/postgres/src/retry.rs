//! What a retry has to do over.

use domain::{
    DateWindow, RunTrigger, StageState,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_VALIDATE},
    usage::CHURN_DAYS,
};
use sqlx::PgConnection;
use warehouse_core::{Result, Run};

use crate::{database::failed, publish};

/// The stages of a run that succeeded, but whose results are no longer there.
pub(crate) async fn lost_stages(connection: &mut PgConnection, run: &Run) -> Result<Vec<&'static str>> {
    // A run that takes days back builds nothing.
    if run.trigger == RunTrigger::Unpublish {
        return Ok(vec![]);
    }
    // Once they are published the candidates are gone, and nobody waits for them.
    if has_succeeded(run, STAGE_VALIDATE) {
        return Ok(vec![]);
    }
    if !has_staged_days(connection, run.window.reaching_back(CHURN_DAYS - 1)).await? {
        return Ok(vec![STAGE_CALL_PRODUCT_API, STAGE_BUILD_FACT]);
    }
    let is_current = publish::has_current_build(connection, run.run_id).await?;
    Ok(if is_current { vec![] } else { vec![STAGE_BUILD_FACT] })
}

fn has_succeeded(run: &Run, stage: &str) -> bool {
    run.stages.iter().any(|found| found.stage == stage && found.state == StageState::Succeeded)
}

/// Whether the usage of all days is staged, as far as any is: days may have been
/// forgotten since the run staged them.
async fn has_staged_days(connection: &mut PgConnection, days: DateWindow) -> Result<bool> {
    sqlx::query_file_scalar!("sql/runs/has_staged_days.sql", days.start(), days.end())
        .fetch_one(connection)
        .await
        .map_err(failed)
}
