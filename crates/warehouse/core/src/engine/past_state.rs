//! Which earlier states of the fact can still be read, and what the ledger said in them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::records::PublicationRecord;
use crate::{
    activity::{PublishedState, RowsVersion},
    error::{Error, Result},
};

/// What is on record of a run's publish, and of what came after it.
#[derive(Debug, Clone)]
pub struct PublishOnRecord {
    /// When the run published, or took days back.
    pub published_at: Option<DateTime<Utc>>,
    /// Since when every replaced row is on record; `None` for from the beginning.
    pub history_since: Option<DateTime<Utc>>,
    /// Whether the newest publish is one that kept no history.
    pub is_interrupted: bool,
    /// Whether one of the requested days was published or taken back after the run, and before
    /// history begins.
    pub has_changed_since: bool,
}

impl PublishOnRecord {
    /// The time at which the fact was as the run left it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the run published nothing that is on record, and
    /// [`Error::Precondition`] if what it left is not.
    pub fn time_of(&self, run_id: Uuid) -> Result<DateTime<Utc>> {
        let Some(published_at) = self.published_at else {
            return Err(Error::NotFound(format!(
                "publish by run {run_id} on record: it published nothing, its days have been forgotten, or \
                 history does not reach back to it; name a run that an answer names as the one that published a day"
            )));
        };
        if self.is_interrupted {
            return Err(Error::Precondition(format!(
                "what run {run_id} left is not on record: a release that keeps no history has published since, and \
                 history begins again with the next publish; leave out the run for what is published now"
            )));
        }
        match self.history_since {
            Some(since) if published_at < since && self.has_changed_since => {
                Err(Error::Precondition(format!(
                    "what run {run_id} left of these days is not on record any more: history is kept since {}; name \
                 other days, or a run that has published since then, or leave out the run for what is published now",
                    since.format("%Y-%m-%d %H:%M:%S UTC")
                )))
            }
            _ => Ok(published_at),
        }
    }
}

/// An entry of the ledger, with the run that changed one of the days asked for last.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are those of the ledger")]
pub struct StateRecord {
    pub publication: PublicationRecord,
    pub left_by: String,
}

impl FromIterator<StateRecord> for PublishedState {
    fn from_iter<I: IntoIterator<Item = StateRecord>>(records: I) -> Self {
        let mut state = Self::default();
        for StateRecord { publication, left_by } in records {
            state.rows.add(publication.checksum);
            state.left_by = Some(left_by);
            state.publications.push(publication.into());
        }
        state
    }
}

impl RowsVersion {
    /// Adds a day with that checksum, as `rows_version.sql` does.
    fn add(&mut self, checksum: i64) {
        self.days += 1;
        self.checksums += checksum & 0x7fff_ffff;
    }
}
