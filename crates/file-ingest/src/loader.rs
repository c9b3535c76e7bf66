//! One kind of file.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow};
use landing::{FileInfo, Storage};
use warehouse::Fence;

/// Which files a stage takes, and the words for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKind {
    /// How their names end, with the dot.
    pub suffix: &'static str,
    /// What people call one of them.
    pub singular: &'static str,
    /// What people call several.
    pub plural: &'static str,
    /// What it means that there is none.
    pub without_any: &'static str,
    /// The flag that limits their size.
    pub max_bytes_flag: &'static str,
    /// Whether a file without any byte says something.
    pub may_be_empty: bool,
}

/// Files that are loaded as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit<T> {
    /// The files as they were listed, sorted by path; at least one.
    pub files: Vec<FileInfo>,
    /// What the loader has found out about them.
    pub about: T,
}

impl<T> Unit<T> {
    /// What people are told of it.
    #[must_use]
    pub fn name(&self) -> String {
        let first = self.files.first().map_or("", |file| file.path.as_str());
        match self.files.len().saturating_sub(1) {
            0 => first.to_owned(),
            1 => format!("{first} and 1 more part"),
            more => format!("{first} and {more} more parts"),
        }
    }
}

/// Files that nothing is to be loaded of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// How many they are.
    pub files: usize,
    /// Their paths, what is wrong with them, and what to do.
    pub problem: String,
}

/// What is to be done with the files of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<T> {
    /// What is to be loaded, in this order: content that is not loaded yet.
    pub units: Vec<Unit<T>>,
    /// What is refused as it is listed.
    pub refused: Vec<Refused>,
    /// What there is to say about them besides.
    pub remarks: Vec<String>,
}

/// A unit that is to be loaded now.
pub struct Delivery<'a, T> {
    /// The files.
    pub unit: &'a Unit<T>,
    /// Where their content is read; reading ends in an error if a file is no longer
    /// the one that was listed.
    pub storage: &'a Storage,
    /// To be told now and then what has been read of the unit so far. Never blocks.
    pub report: Box<dyn Fn(Counters) + Send + Sync + 'a>,
    /// On whose behalf.
    pub fence: &'a Fence,
    /// The run's business date.
    pub business_date: NaiveDate,
    /// When the load begins.
    pub now: DateTime<Utc>,
}

/// What became of a unit that was loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its rows.
    pub counters: Counters,
    /// What there is to say about it besides how many rows are rejected.
    pub remarks: Vec<String>,
}

/// What became of a unit.
pub(crate) enum Loaded {
    /// Loaded now.
    Now(Outcome),
    /// Nothing of it is loaded, for this reason.
    Refused(String),
}

/// Knows one kind of file and loads it into the warehouse.
#[async_trait]
pub trait FileLoader: Send + Sync + 'static {
    /// The stage.
    const STAGES: &'static [&'static str];

    /// The files.
    const KIND: FileKind;

    /// What the loader knows of files before it reads them.
    type About: Send + Sync;

    /// Decides what to do with `files`, which are sorted by path, in a run over
    /// `window`. Content that is loaded already is not read again.
    ///
    /// # Errors
    /// If the warehouse fails.
    async fn plan(
        &self,
        files: Vec<FileInfo>,
        window: DateWindow,
        now: DateTime<Utc>,
    ) -> warehouse::Result<Plan<Self::About>>;

    /// Loads a unit, whole or not at all.
    ///
    /// # Errors
    /// [`warehouse::Error::Refused`], or a source error of kind
    /// [`InvalidInput`](domain::FailureKind::InvalidInput), to refuse the files and
    /// go on with the next; every other error ends the stage.
    async fn load(&self, delivery: Delivery<'_, Self::About>) -> warehouse::Result<Outcome>;
}
