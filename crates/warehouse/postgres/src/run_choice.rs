//! The statements behind the choice of a run.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{DateWindow, RunTrigger};
use sqlx::PgConnection;
use warehouse_core::{PublishedFacts, Run, engine::RunLookup};

use crate::{
    fault::{Failure, Result},
    run_rows::find_by,
};

/// The runs as the caller's transaction sees them.
pub(crate) struct Runs<'c>(pub(crate) &'c mut PgConnection);

#[async_trait]
impl RunLookup for Runs<'_> {
    type Error = Failure;

    async fn active_through(&mut self, pipeline: &str, through: NaiveDate) -> Result<Option<Run>> {
        let id = sqlx::query_file_scalar!("../sql/runs/active_through.sql", pipeline, through);
        let id = id.fetch_optional(&mut *self.0).await?;
        find_by(self.0, id).await
    }

    async fn active_over(
        &mut self,
        pipeline: &str,
        window: DateWindow,
        trigger: RunTrigger,
    ) -> Result<Option<Run>> {
        let (start, end) = (window.start(), window.end());
        let takes_back = trigger == RunTrigger::Unpublish;
        let id = sqlx::query_file_scalar!("../sql/runs/active_over.sql", pipeline, start, end, takes_back);
        let id = id.fetch_optional(&mut *self.0).await?;
        find_by(self.0, id).await
    }

    async fn succeeded_over(&mut self, pipeline: &str, window: DateWindow) -> Result<Option<Run>> {
        let (start, end) = (window.start(), window.end());
        let id = sqlx::query_file_scalar!("sql/runs/succeeded_over.sql", pipeline, start, end);
        let id = id.fetch_optional(&mut *self.0).await?;
        find_by(self.0, id).await
    }

    async fn publisher_of(&mut self, day: NaiveDate) -> Result<Option<Run>> {
        let id = sqlx::query_scalar!("SELECT run_id FROM published_days WHERE activity_date = $1", day);
        let id = id.fetch_optional(&mut *self.0).await?;
        find_by(self.0, id).await
    }

    async fn published_facts(&mut self, pipeline: &str, through: NaiveDate) -> Result<PublishedFacts> {
        let facts =
            sqlx::query_file_as!(PublishedFacts, "../sql/runs/published_facts.sql", pipeline, through);
        Ok(facts.fetch_one(&mut *self.0).await?)
    }

    async fn first_unpublished(&mut self, from: NaiveDate) -> Result<Option<NaiveDate>> {
        Ok(sqlx::query_file_scalar!("sql/runs/first_unpublished.sql", from).fetch_one(&mut *self.0).await?)
    }
}
