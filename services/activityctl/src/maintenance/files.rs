//! Removes files that the suite itself wrote.
//!
//! An ingest lands a file and then loads it, so an unreferenced file may be
//! about to be loaded. Its age makes removal safe: it was written longer ago
//! than any stage may take. The other checks cover a file that is rewritten, or
//! loaded after all, in the meantime: references are checked again right before
//! removal, and a file that was replaced stays. If both happen in the same
//! moment, the load finds its file gone and its stage is retried.

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{HumanBytes, HumanCount};
use landing::{FileInfo, Storage};
use warehouse::Retention;

use super::progress::FileProgress;
use crate::output::notice;

/// Files checked and removed at a time.
const CHUNK: usize = 200;

/// Concurrent removals.
const CONCURRENT: usize = 8;

/// Files of one kind below one folder.
pub(crate) struct Files<'a> {
    pub(crate) storage: &'a Storage,
    pub(crate) folder: &'static str,
    /// Whether the suite itself names files like this; no others are touched.
    pub(crate) is_ours: fn(&str) -> bool,
    /// Younger files always stay.
    pub(crate) written_before: DateTime<Utc>,
    pub(crate) dry_run: bool,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Removed {
    const fn count(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.files == 1 { "file" } else { "files" };
        write!(f, "{} {unit} ({})", HumanCount(self.files), HumanBytes(self.bytes))
    }
}

impl Files<'_> {
    /// Removes the files whose path `is_due` selects.
    pub(crate) async fn remove_if(&self, is_due: impl Fn(&str) -> bool) -> anyhow::Result<Removed> {
        let mut due = self.ours().await?;
        due.retain(|file| self.is_old(file) && is_due(&file.path));
        let (mut removed, mut progress) = (Removed::default(), FileProgress::over(due.len()));
        for chunk in due.chunks(CHUNK) {
            self.remove(chunk.iter(), &mut removed, &mut progress).await?;
        }
        Ok(removed)
    }

    /// Removes files that the warehouse staged nothing from.
    pub(crate) async fn remove_unused(&self, warehouse: &dyn Retention) -> anyhow::Result<Removed> {
        let ours = self.ours().await?;
        let mut unused = Vec::new();
        for chunk in ours.chunks(CHUNK) {
            let used = in_use(warehouse, chunk).await?;
            unused.extend(chunk.iter().filter(|file| !used.contains(&file.path)).cloned());
        }
        // If every file looks like a leftover, the warehouse is the wrong one, or empty.
        if !ours.is_empty() && unused.len() == ours.len() {
            notice(format_args!(
                "left alone: the warehouse knows none of the {} files of {} in {}; is it the one that they \
                 were loaded into?",
                ours.len(),
                self.folder,
                self.storage
            ));
            return Ok(Removed::default());
        }
        unused.retain(|file| self.is_old(file));
        let mut progress = FileProgress::over(unused.len());
        let mut removed = Removed::default();
        for chunk in unused.chunks(CHUNK) {
            let used = in_use(warehouse, chunk).await?;
            let due = chunk.iter().filter(|file| !used.contains(&file.path));
            self.remove(due, &mut removed, &mut progress).await?;
        }
        Ok(removed)
    }

    /// Removes what killed writes left behind.
    pub(crate) async fn remove_temporaries(&self) -> anyhow::Result<Removed> {
        let mut removed = Removed::default();
        for temporary in self.storage.temporaries(self.folder).await? {
            let is_due = (self.is_ours)(&temporary.path) && temporary.modified < self.written_before;
            if is_due && (self.dry_run || self.storage.remove_temporary(&temporary).await?) {
                removed.count(temporary.size);
            }
        }
        Ok(removed)
    }

    async fn ours(&self) -> anyhow::Result<Vec<FileInfo>> {
        let mut files = self.storage.list_in(self.folder).await?;
        files.retain(|file| (self.is_ours)(&file.path));
        Ok(files)
    }

    fn is_old(&self, file: &FileInfo) -> bool {
        file.modified < self.written_before
    }

    async fn remove<'f>(
        &self,
        files: impl Iterator<Item = &'f FileInfo>,
        removed: &mut Removed,
        progress: &mut FileProgress,
    ) -> anyhow::Result<()> {
        let removals = files.map(async |file| {
            let is_removed = self.dry_run || self.storage.remove(file).await?;
            anyhow::Ok(is_removed.then_some(file.size))
        });
        let mut removals = stream::iter(removals).buffer_unordered(CONCURRENT);
        while let Some(size) = removals.try_next().await? {
            if let Some(bytes) = size {
                removed.count(bytes);
            }
            progress.advance();
        }
        Ok(())
    }
}

async fn in_use(warehouse: &dyn Retention, files: &[FileInfo]) -> anyhow::Result<BTreeSet<String>> {
    let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    Ok(warehouse.landed_files_in_use(&paths).await?)
}
