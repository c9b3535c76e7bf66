//! What a backfill runs, and what it would change.

use domain::run::{DAILY_PIPELINE, STAGE_COPY_CRM_CSV};
use warehouse_core::SharedWarehouse;

use crate::scene::{at, day, days, hold_run, hold_run_of, publish_run};

/// Only a day's newest run tells whether it has to be done over: published or
/// not, and whatever other pipelines do.
pub async fn a_day_is_done_over_if_its_newest_run_failed(warehouse: SharedWarehouse) {
    let failed = async || warehouse.failed_days(DAILY_PIPELINE, days(0, 9)).await.unwrap();
    assert_eq!(failed().await, []);
    publish_run(&warehouse, days(0, 5), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    hold_run_of(&warehouse, "pl_other", days(0, 9), at(1)).await.fail_at(STAGE_COPY_CRM_CSV).await;
    assert_eq!(failed().await, []);

    hold_run(&warehouse, days(1, 3), at(2)).await.fail_at(STAGE_COPY_CRM_CSV).await;
    hold_run(&warehouse, days(8, 12), at(3)).await.cancel().await;
    assert_eq!(failed().await, [1, 2, 3, 8, 9].map(day));
    assert_eq!(warehouse.failed_days(DAILY_PIPELINE, days(2, 2)).await.unwrap(), [day(2)]);

    publish_run(&warehouse, days(3, 8), at(4), &[], &[]).await;
    let under_way = hold_run(&warehouse, days(1, 1), at(5)).await;
    assert_eq!(failed().await, [2, 9].map(day));
    under_way.cancel().await;
    assert_eq!(failed().await, [1, 2, 9].map(day));
}
