//! Reads where a company-day comes from.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{
    CompanyId, FactKey, Provenance,
    provenance::{CrmVersion, DaySources},
};

use crate::error::Result;

/// Reads where what is published comes from.
#[async_trait]
pub trait ProvenanceReader: Send + Sync {
    /// All that is on record of one company-day, published or not, from one state.
    async fn provenance(&self, key: &FactKey) -> Result<Provenance>;

    /// The deliveries that one day is made of, from one state.
    async fn day_sources(&self, day: NaiveDate) -> Result<DaySources>;

    /// Up to `limit` versions of a company, the newest first, of those that begin before `before`.
    async fn company_versions(
        &self,
        company: &CompanyId,
        before: Option<NaiveDate>,
        limit: u32,
    ) -> Result<Vec<CrmVersion>>;
}
