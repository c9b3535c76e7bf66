//! How an export changes the companies' history: which statements, in which order. Each
//! engine writes the statements itself.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::Counters;

use crate::{crm::CrmExport, crm_snapshots::Neighbourhood, error::Error};

/// An export whose rows are ready to be applied, one per company.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The export.
    pub export: &'a CrmExport,
    /// Number of fully readable rows.
    pub accepted: u64,
    /// Whether companies that it does not name stay as they were.
    pub keeps_unnamed: bool,
}

/// One statement. `day` is the day of the snapshot being written, `previous` and `next`
/// are those of its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the arguments of the statement")]
pub enum CrmStep<'a> {
    /// Empties the table of incoming companies.
    ClearIncoming,
    /// Empties the table of changed companies.
    ClearChanges,
    /// Adds companies that the export does not name, as they were before.
    KeepUnnamed { previous: Option<NaiveDate> },
    /// Deletes the record of unreadable fields.
    ForgetUnreadable { day: NaiveDate },
    /// Records the fields that are now unreadable.
    RecordUnreadable { day: NaiveDate },
    /// Fills unreadable fields with their previous values.
    InheritFields { previous: Option<NaiveDate> },
    /// Drops companies that are unreadable and did not exist before.
    DropUnknown { previous: Option<NaiveDate> },
    /// Compares the incoming companies with the state that applied on the day until now.
    FindChanges { held_before: Option<NaiveDate> },
    /// Extends unchanged versions of the previous snapshot to the day.
    ExtendUnchangedTo { day: NaiveDate, previous: NaiveDate },
    /// Makes unchanged versions of the next snapshot begin on the day.
    ExtendUnchangedFrom { day: NaiveDate, next: NaiveDate },
    /// Counts a change to staged data.
    BumpStagingVersion,
    /// Splits versions that cover the day and continue after it.
    SplitAfter { day: NaiveDate, next: NaiveDate },
    /// Drops versions that begin on the day.
    DropAt { day: NaiveDate },
    /// Ends versions that reach the day at the previous snapshot.
    EndBefore { day: NaiveDate, previous: NaiveDate },
    /// Writes the snapshot's versions of changed companies.
    InsertVersions { day: NaiveDate, next: Option<NaiveDate> },
    /// Joins equal versions that end on `last` and begin on `first`.
    Merge { last: NaiveDate, first: NaiveDate },
    /// Drops versions merged into an earlier one.
    DropMerged { first: NaiveDate },
    /// Adds the companies to the known ones. If no export came before, there may be none.
    NameCompanies { is_first: bool },
    /// Marks dirty the published days on which a change may be visible.
    MarkDirty { day: NaiveDate, is_first: bool },
    /// Records the snapshot, of that many companies.
    RecordSnapshot { day: NaiveDate, path: &'a str, companies: u64, keeps_unnamed: bool },
    /// Adds companies that an heir does not name, in their present state on `before`.
    MarkUnnamed { day: NaiveDate, before: NaiveDate },
    /// Collects what an heir takes from the previous snapshot.
    DeriveAgain { day: NaiveDate, before: NaiveDate },
    /// Keeps only what has changed.
    FindDerivedChanges { day: NaiveDate },
    /// Recounts a snapshot's companies.
    ResizeSnapshot { day: NaiveDate },
}

/// How the incoming companies differ from the state until now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CrmChanges {
    /// Fully readable companies that are new or changed.
    pub written: u64,
    /// Companies that are gone.
    pub removed: u64,
    /// All companies with any change.
    pub all: u64,
}

/// The nearest later snapshot that takes something from the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heir {
    /// Its day.
    pub effective_on: NaiveDate,
    /// Whether companies that it does not name stay as they were.
    pub keeps_unnamed: bool,
}

/// The companies' history, within one transaction.
#[async_trait]
pub trait CrmHistory: Send {
    /// The error of a statement.
    type Error: From<Error>;

    /// Executes a statement. Returns the number of changed rows.
    async fn execute(&mut self, step: CrmStep<'_>) -> Result<u64, Self::Error>;

    /// The snapshots around a day.
    async fn around(&mut self, day: NaiveDate) -> Result<Neighbourhood, Self::Error>;

    /// Counts what [`CrmStep::FindChanges`] found.
    async fn changes(&mut self) -> Result<CrmChanges, Self::Error>;

    /// The snapshot after `day` that takes something from the one on `day`.
    async fn heir(&mut self, day: NaiveDate) -> Result<Option<Heir>, Self::Error>;
}

/// Applies the export to the state on its day, keeps the versions in canonical form,
/// and marks dirty what may have changed.
///
/// # Errors
/// If a statement fails.
pub async fn take_over<H: CrmHistory>(
    history: &mut H,
    arrival: Arrival<'_>,
    place: &Neighbourhood,
    counters: &mut Counters,
) -> Result<(), H::Error> {
    let Arrival { export, accepted, keeps_unnamed } = arrival;
    let (day, previous, next) = (export.effective_on, place.previous_day(), place.next_day());
    let is_whole = counters.rows_rejected == 0 && !keeps_unnamed;
    let companies = accepted + inherit(history, day, previous, is_whole, keeps_unnamed).await?;
    let held_before = place.held_before();
    history.execute(CrmStep::FindChanges { held_before }).await?;
    let changes = history.changes().await?;
    counters.rows_written = changes.written;
    counters.rows_removed = changes.removed;
    counters.rows_unchanged = accepted.saturating_sub(changes.written);

    let is_new_day = place.same_day.is_none();
    if let Some(extend) = extension(day, previous, next).filter(|_| is_new_day) {
        history.execute(extend).await?;
    }
    let has_changed = is_new_day || changes.all > 0;
    // Before the version is counted, as in loads of usage: two that name the same company
    // wait for each other here, and neither may already hold what the other waits for.
    history.execute(CrmStep::NameCompanies { is_first: held_before.is_none() }).await?;
    if has_changed {
        // Before looking at the published days: none is added until this commits.
        history.execute(CrmStep::BumpStagingVersion).await?;
    }
    take_over_changes(history, day, (previous, next), held_before).await?;
    history.execute(CrmStep::RecordSnapshot { day, path: &export.path, companies, keeps_unnamed }).await?;
    if has_changed {
        derive_heirs(history, day).await?;
    }
    Ok(())
}

/// Completes unreadable parts of the export from the previous snapshot, and records
/// which they were. Returns how many companies are in the snapshot although the export
/// does not give them in full: none if it could be read as a whole.
async fn inherit<H: CrmHistory>(
    history: &mut H,
    day: NaiveDate,
    previous: Option<NaiveDate>,
    is_whole: bool,
    keeps_unnamed: bool,
) -> Result<u64, H::Error> {
    if keeps_unnamed {
        history.execute(CrmStep::KeepUnnamed { previous }).await?;
    }
    history.execute(CrmStep::ForgetUnreadable { day }).await?;
    if is_whole {
        return Ok(0);
    }
    let unreadable = history.execute(CrmStep::RecordUnreadable { day }).await?;
    if unreadable == 0 {
        return Ok(0);
    }
    history.execute(CrmStep::InheritFields { previous }).await?;
    let unknown = history.execute(CrmStep::DropUnknown { previous }).await?;
    Ok(unreadable.saturating_sub(unknown))
}

/// Derives later snapshots again that take something from the one before them, as far
/// as that has changed. Usually there are none.
async fn derive_heirs<H: CrmHistory>(history: &mut H, mut day: NaiveDate) -> Result<(), H::Error> {
    while let Some(heir) = history.heir(day).await? {
        let (before, on) = (day, heir.effective_on);
        history.execute(CrmStep::ClearIncoming).await?;
        history.execute(CrmStep::ClearChanges).await?;
        if heir.keeps_unnamed {
            history.execute(CrmStep::MarkUnnamed { day: on, before }).await?;
        }
        history.execute(CrmStep::DeriveAgain { day: on, before }).await?;
        if history.execute(CrmStep::FindDerivedChanges { day: on }).await? == 0 {
            return Ok(());
        }
        let next = history.around(on).await?.next_day();
        take_over_changes(history, on, (Some(before), next), Some(on)).await?;
        history.execute(CrmStep::ResizeSnapshot { day: on }).await?;
        day = on;
    }
    Ok(())
}

/// Applies the changed companies of a snapshot to the versions, and marks dirty the
/// days on which that may be visible. Their changes are changes to the state of
/// `held_before`.
async fn take_over_changes<H: CrmHistory>(
    history: &mut H,
    day: NaiveDate,
    neighbours: (Option<NaiveDate>, Option<NaiveDate>),
    held_before: Option<NaiveDate>,
) -> Result<(), H::Error> {
    for step in version_steps(day, neighbours, held_before) {
        history.execute(step).await?;
    }
    history.execute(CrmStep::MarkDirty { day, is_first: neighbours.0.is_none() }).await?;
    Ok(())
}

/// A snapshot on a new day also covers the companies that it does not change.
fn extension(
    day: NaiveDate,
    previous: Option<NaiveDate>,
    next: Option<NaiveDate>,
) -> Option<CrmStep<'static>> {
    match (previous, next) {
        (Some(previous), Some(_)) => Some(CrmStep::ExtendUnchangedTo { day, previous }),
        (None, Some(next)) => Some(CrmStep::ExtendUnchangedFrom { day, next }),
        // After the newest snapshot, versions are open and reach the new one by themselves.
        (_, None) => None,
    }
}

/// Cuts the day out of the versions of changed companies, inserts the snapshot's, and
/// merges them with equal neighbours.
///
/// Versions begin and end with snapshots, so none begins on a day without one. And a
/// changed company differs from what it was in the snapshot of `held_before`, so it has
/// nothing to merge there. A later export with few changes, the usual one, only ends
/// and inserts versions.
fn version_steps(
    day: NaiveDate,
    (previous, next): (Option<NaiveDate>, Option<NaiveDate>),
    held_before: Option<NaiveDate>,
) -> Vec<CrmStep<'static>> {
    let mut steps = Vec::new();
    steps.extend(next.map(|next| CrmStep::SplitAfter { day, next }));
    if held_before == Some(day) {
        steps.push(CrmStep::DropAt { day });
    }
    steps.extend(previous.map(|previous| CrmStep::EndBefore { day, previous }));
    steps.push(CrmStep::InsertVersions { day, next });
    let equals = |neighbour: Option<NaiveDate>| neighbour.filter(|_| neighbour != held_before);
    // Both ends of the day, the later one first: a version may be merged across both.
    let seams = [equals(next).map(|next| (day, next)), equals(previous).map(|previous| (previous, day))];
    for (last, first) in seams.into_iter().flatten() {
        steps.extend([CrmStep::Merge { last, first }, CrmStep::DropMerged { first }]);
    }
    steps
}

#[cfg(test)]
mod tests;
