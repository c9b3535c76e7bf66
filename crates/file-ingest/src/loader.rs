//! One kind of file.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use domain::Counters;
use futures::stream::BoxStream;
use landing::FileInfo;
use warehouse::{Fence, LoadOutcome};

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
}

/// One file that is to be loaded now.
pub struct Delivery<'a> {
    /// The file as it was listed.
    pub file: &'a FileInfo,
    /// Its content, read as it is asked for. Ends in an error if the file is no
    /// longer the one that was listed.
    pub chunks: BoxStream<'static, Result<Bytes, landing::Error>>,
    /// To be told now and then what has been read of the file so far. Never blocks.
    pub report: Box<dyn Fn(Counters) + Send + 'a>,
    /// On whose behalf.
    pub fence: &'a Fence,
    /// The run's business date.
    pub business_date: NaiveDate,
    /// When the load begins.
    pub now: DateTime<Utc>,
}

/// Knows one kind of file and loads it into the warehouse.
#[async_trait]
pub trait FileLoader: Send + Sync + 'static {
    /// The stage.
    const STAGES: &'static [&'static str];

    /// The files.
    const KIND: FileKind;

    /// The positions in `files` of those that are new: exactly this content is not
    /// loaded. In order.
    ///
    /// # Errors
    /// If the warehouse fails.
    async fn new_files(&self, files: &[FileInfo], business_date: NaiveDate) -> warehouse::Result<Vec<usize>>;

    /// Loads a file, whole or not at all.
    ///
    /// # Errors
    /// [`warehouse::Error::Refused`], or a source error of kind
    /// [`InvalidInput`](domain::FailureKind::InvalidInput), to refuse the file and
    /// go on with the next; every other error ends the stage.
    async fn load(&self, delivery: Delivery<'_>) -> warehouse::Result<LoadOutcome>;
}
