//! One kind of file.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow};
use landing::{FileInfo, Storage};
use warehouse_core::{Delivered, Fence};

/// Which files a stage takes, and what people call them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKind {
    /// The suffix of their names, with the dot.
    pub suffix: &'static str,
    /// What people call one file.
    pub singular: &'static str,
    /// What people call several.
    pub plural: &'static str,
    /// What it means that there are none.
    pub without_any: &'static str,
    /// The flag that limits a file's size.
    pub max_bytes_flag: &'static str,
    /// Whether an empty file is meaningful.
    pub may_be_empty: bool,
}

/// Files that are loaded as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit<T> {
    /// The files as they were listed, sorted by path; at least one. Those of a unit that is
    /// loaded from copies are no longer in the folder.
    pub files: Vec<FileInfo>,
    /// What the loader found out about them.
    pub about: T,
}

impl<T> Unit<T> {
    /// The unit's name for people.
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

/// Files of which nothing is to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// How many files.
    pub files: usize,
    /// Their paths, what is wrong with them, and what to do.
    pub problem: String,
}

/// What to do with the files of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<T> {
    /// Units to load, in this order: content that is not loaded yet, or is to be loaded
    /// again.
    pub units: Vec<Unit<T>>,
    /// Files refused from the listing alone.
    pub refused: Vec<Refused>,
    /// What the loader found out about listed files that are to be loaded again, and are not
    /// even read.
    pub passed_over: Vec<T>,
    /// Further remarks about the files.
    pub remarks: Vec<String>,
}

/// A unit to load now.
pub struct Delivery<'a, T> {
    /// The files.
    pub unit: &'a Unit<T>,
    /// The storage to read from; reading fails if a file has changed since it was listed.
    pub storage: &'a Storage,
    /// Called now and then with what has been read of the unit so far. Never blocks.
    pub report: Box<dyn Fn(Counters) + Send + Sync + 'a>,
    /// The stage attempt that loads it.
    pub fence: &'a Fence,
    /// The run's business date.
    pub business_date: NaiveDate,
    /// When the load starts.
    pub now: DateTime<Utc>,
}

/// The result of loading a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The unit's rows.
    pub counters: Counters,
    /// Remarks, apart from the number of rejected rows.
    pub remarks: Vec<String>,
}

/// What happened to a unit.
pub(crate) enum Loaded {
    /// It was loaded now.
    Now(Outcome),
    /// None of it was loaded, for this reason.
    Refused(String),
}

/// Knows one kind of file and loads it into the warehouse.
#[async_trait]
pub trait FileLoader: Send + Sync + 'static {
    /// The names of the stages that load such files.
    const STAGES: &'static [&'static str];

    /// The files that the stage takes.
    const KIND: FileKind;

    /// What the loader knows of files before it reads them.
    type About: Send + Sync;

    /// Decides what to do with `files`, sorted by path, in a run over `window`. Content
    /// that is already loaded is not read again, unless somebody has asked for that.
    ///
    /// # Errors
    /// If the warehouse fails.
    async fn plan(
        &self,
        files: Vec<FileInfo>,
        window: DateWindow,
        now: DateTime<Utc>,
    ) -> warehouse_core::Result<Plan<Self::About>>;

    /// What operators ask for who have files loaded again.
    fn delivered(about: &Self::About) -> Delivered<'_>;

    /// Loads a unit, whole or not at all.
    ///
    /// # Errors
    /// [`warehouse_core::Error::Refused`], or a source error of kind
    /// [`InvalidInput`](domain::FailureKind::InvalidInput), refuses the files and
    /// continues with the next; any other error ends the stage.
    async fn load(&self, delivery: Delivery<'_, Self::About>) -> warehouse_core::Result<Outcome>;
}
