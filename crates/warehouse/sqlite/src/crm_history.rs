//! The statements for the companies' history.

use async_trait::async_trait;
use chrono::NaiveDate;
use sqlx::{SqliteConnection, query, query_file, query_file_as};
use warehouse_core::{
    Neighbourhood, Snapshot,
    engine::{CrmChanges, CrmHistory, CrmStep, Heir, counted, stored},
};

use crate::fault::{Failure, Result};

/// The history within the caller's transaction.
pub(crate) struct History<'c>(pub(crate) &'c mut SqliteConnection);

#[async_trait]
impl CrmHistory for History<'_> {
    type Error = Failure;

    async fn execute(&mut self, step: CrmStep<'_>) -> Result<u64> {
        let statement = match step {
            CrmStep::ClearIncoming => query!("DELETE FROM crm_incoming"),
            CrmStep::ClearChanges => query!("DELETE FROM crm_changes"),
            CrmStep::KeepUnnamed { previous } => query_file!("sql/crm/keep_unnamed.sql", previous),
            CrmStep::ForgetUnreadable { day } => {
                query!("DELETE FROM crm_unreadable WHERE effective_on = $1", day)
            }
            CrmStep::RecordUnreadable { day } => query_file!("sql/crm/record_unreadable.sql", day),
            CrmStep::InheritFields { previous } => query_file!("sql/crm/inherit_fields.sql", previous),
            CrmStep::DropUnknown { previous } => query_file!("sql/crm/drop_unknown.sql", previous),
            CrmStep::FindChanges { held_before } => query_file!("sql/crm/find_changes.sql", held_before),
            CrmStep::ExtendUnchangedTo { day, previous } => {
                query_file!("sql/crm/extend_unchanged_to.sql", day, previous)
            }
            CrmStep::ExtendUnchangedFrom { day, next } => {
                query_file!("sql/crm/extend_unchanged_from.sql", day, next)
            }
            CrmStep::BumpStagingVersion => query!("UPDATE warehouse_versions SET staging = staging + 1"),
            CrmStep::SplitAfter { day, next } => query_file!("sql/crm/split_after.sql", day, next),
            CrmStep::DropAt { day } => query_file!("sql/crm/drop_at.sql", day),
            CrmStep::EndBefore { day, previous } => query_file!("sql/crm/end_before.sql", day, previous),
            CrmStep::InsertVersions { day, next } => query_file!("sql/crm/insert_versions.sql", day, next),
            CrmStep::Merge { last, first } => query_file!("sql/crm/merge.sql", last, first),
            CrmStep::DropMerged { first } => query_file!("sql/crm/drop_merged.sql", first),
            CrmStep::NameCompanies { .. } => query_file!("sql/crm/name_companies.sql"),
            CrmStep::MarkDirty { day, is_first } => query_file!("sql/crm/mark_dirty.sql", day, is_first),
            CrmStep::RecordSnapshot { day, path, companies, keeps_unnamed } => {
                query_file!("../sql/crm/record_snapshot.sql", day, path, stored(companies), keeps_unnamed)
            }
            CrmStep::MarkUnnamed { day, before } => query_file!("sql/crm/mark_unnamed.sql", day, before),
            CrmStep::DeriveAgain { day, before } => query_file!("sql/crm/derive_again.sql", day, before),
            CrmStep::FindDerivedChanges { day } => query_file!("sql/crm/find_derived_changes.sql", day),
            CrmStep::ResizeSnapshot { day } => query_file!("../sql/crm/resize_snapshot.sql", day),
        };
        Ok(statement.execute(&mut *self.0).await?.rows_affected())
    }

    async fn around(&mut self, day: NaiveDate) -> Result<Neighbourhood> {
        let mut place = Neighbourhood::default();
        for row in query_file!("../sql/crm/around.sql", day).fetch_all(&mut *self.0).await? {
            let companies = counted(row.companies)?;
            place = place.with(day, Snapshot { on: row.on, path: row.path, companies });
        }
        Ok(place)
    }

    async fn changes(&mut self) -> Result<CrmChanges> {
        let found = query_file!("sql/crm/count_changes.sql").fetch_one(&mut *self.0).await?;
        let (written, removed, all) = (counted(found.written)?, counted(found.removed)?, counted(found.all)?);
        Ok(CrmChanges { written, removed, all })
    }

    async fn heir(&mut self, day: NaiveDate) -> Result<Option<Heir>> {
        Ok(query_file_as!(Heir, "../sql/crm/heir.sql", day).fetch_optional(&mut *self.0).await?)
    }
}
