//! Explains a company-day, from what is on record of it and what was landed for it.

use std::sync::Arc;

use domain::{Explanation, FactKey, provenance::UsageProvenance};
use futures::{StreamExt, stream};
use landing::Storage;
use warehouse::ProvenanceReader;

use crate::{
    answer_options::Reading,
    error::Error,
    landed_lines::{self, LandedFile},
};

/// How many landed files to read at the same time, a chunk of each in memory.
const FILES_AT_ONCE: usize = 4;

/// Explains company-days. Changes nothing.
#[derive(Clone)]
pub(crate) struct Explainer {
    pub(crate) provenance: Arc<dyn ProvenanceReader>,
    pub(crate) storage: Storage,
    /// How the landed records are read.
    pub(crate) reading: Arc<Reading>,
}

impl Explainer {
    /// The explanation of a company-day, and what the landed file of each of its days says
    /// of the company.
    ///
    /// # Errors
    /// If the warehouse cannot be read.
    pub(crate) async fn explain(&self, key: &FactKey) -> Result<(Explanation, Vec<LandedFile>), Error> {
        let provenance = self.provenance.provenance(key).await?;
        // Of a company that no source ever named, no file has a line, unless it could not be read.
        let is_known = provenance.is_known;
        let files = stream::iter(provenance.usage.clone())
            .map(|usage| async move {
                let is_worth_reading = is_known || usage.fetch.as_ref().is_some_and(|it| it.quarantined > 0);
                if is_worth_reading { self.landed(key, usage).await } else { LandedFile::UNREAD }
            })
            .buffered(FILES_AT_ONCE)
            .collect()
            .await;
        Ok((Explanation::of(&provenance), files))
    }

    async fn landed(&self, key: &FactKey, usage: UsageProvenance) -> LandedFile {
        let Some(fetch) = &usage.fetch else { return LandedFile::default() };
        let of = (usage.day, &key.company_id);
        landed_lines::find(&self.storage, &self.reading, of, fetch).await
    }
}
