//! Why a company-day says what it says: its cells by rule and by the records that they are
//! made of, and why they changed.
//!
//! Everything follows from the [`Provenance`]. The words name what a person can look up in
//! the source's own files.

mod cells;
mod changes;
mod computed;
mod past;
mod reasons;
mod summary;

use crate::{
    fact::{FactKey, FactRow},
    provenance::{CrmProvenance, Provenance, UsageProvenance},
    publication::Publication,
};

pub use cells::{Cell, CellPart};
pub use changes::{Change, ChangeKind};
pub use computed::computed;
pub use reasons::{Reason, ReasonKind};

/// Why a company-day says what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The company-day.
    pub key: FactKey,
    /// Whether there is a row.
    pub standing: Standing,
    /// What to know first, in sentences.
    pub statements: Vec<String>,
    /// The published row.
    pub published: Option<FactRow>,
    /// The publication of the day.
    pub publication: Option<Publication>,
    /// The run that published these values, if that is on record.
    pub written_by: Option<String>,
    /// The row that the staged data gives now; its `loaded_at` means nothing.
    pub staged: Option<FactRow>,
    /// How the two compare; `None` unless the day is published.
    pub agreement: Option<Agreement>,
    /// The columns, in their order; empty if there is no row.
    pub cells: Vec<Cell>,
    /// The usage of the days that it is made of, in order.
    pub usage: Vec<UsageProvenance>,
    /// What the CRM says.
    pub crm: CrmProvenance,
    /// The same in sentences.
    pub crm_statements: Vec<String>,
    /// When the row changed and why, the newest change first.
    pub changes: Vec<Change>,
}

/// Whether a company-day has a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is published.
    Published,
    /// The day is published, and the company has no row on it.
    NoRow,
    /// The day is not published.
    DayNotPublished,
}

/// How what is published compares with what is staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// They say the same.
    Equal,
    /// A staged change waits to be published.
    Waiting,
    /// They differ, and nothing waits: something other than a run changed one of them.
    Unexplained,
}

impl Explanation {
    /// Explains a company-day.
    #[must_use]
    pub fn of(provenance: &Provenance) -> Self {
        let (published, staged) = (provenance.row(), computed(provenance));
        let publication = provenance.publication();
        let standing = match (published, publication) {
            (Some(_), _) => Standing::Published,
            (None, Some(_)) => Standing::NoRow,
            (None, None) => Standing::DayNotPublished,
        };
        let agreement = (standing != Standing::DayNotPublished).then(|| {
            if are_equal(published, staged.as_ref()) {
                Agreement::Equal
            } else if provenance.is_waiting {
                Agreement::Waiting
            } else {
                Agreement::Unexplained
            }
        });
        let past = past::Past::of(provenance);
        let written_by = published.and_then(|row| past.run_at(row.key.activity_date, row.loaded_at));
        Self {
            key: provenance.key.clone(),
            standing,
            statements: summary::statements(provenance, standing, agreement, written_by.as_deref()),
            published: published.cloned(),
            publication: publication.cloned(),
            cells: cells::cells(provenance, published, staged.as_ref(), written_by.as_deref()),
            written_by,
            staged,
            agreement,
            usage: provenance.usage.clone(),
            crm: provenance.crm.clone(),
            crm_statements: summary::crm_statements(provenance),
            changes: changes::changes(provenance, &past),
        }
    }
}

/// Whether two rows say the same; when they were loaded is no part of what they say.
fn are_equal(published: Option<&FactRow>, staged: Option<&FactRow>) -> bool {
    match (published, staged) {
        (Some(published), Some(staged)) => {
            *published == FactRow { loaded_at: published.loaded_at, ..staged.clone() }
        }
        (published, staged) => published.is_none() && staged.is_none(),
    }
}

#[cfg(test)]
mod tests;
