//! Reads where a company-day comes from.

use async_trait::async_trait;
use domain::{FactKey, Provenance};

use crate::error::Result;

/// Reads where what is published comes from.
#[async_trait]
pub trait ProvenanceReader: Send + Sync {
    /// All that is on record of one company-day, published or not, from one state.
    async fn provenance(&self, key: &FactKey) -> Result<Provenance>;
}
