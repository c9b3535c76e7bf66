//! The life of a warehouse in either engine: days pass, records come late, deliveries repeat.

use anyhow::{Result, ensure};

use crate::{
    data::{Sources, day, window},
    pipeline::{Load, Pipeline, Publish},
    progress::Narrator,
};

/// Days per run while the history grows.
const HISTORY_RUN_DAYS: usize = 30;

/// How many days late a record is: all days that read it are published.
const LATE_DAYS: u32 = 13;

pub(crate) struct Journey<'a> {
    pub(crate) narrator: &'a Narrator,
    pub(crate) pipeline: Pipeline,
    pub(crate) sources: Sources,
    /// The first day not published yet.
    pub(crate) next_day: u32,
}

impl<'a> Journey<'a> {
    pub(crate) fn new(narrator: &'a Narrator, pipeline: Pipeline, sources: Sources) -> Self {
        Self { narrator, pipeline, sources, next_day: 0 }
    }

    /// Loads the next day and publishes it.
    pub(crate) async fn publish_new_day(&mut self) -> Result<Publish> {
        Ok(self.load_and_publish_new_day().await?.1)
    }

    /// The same, with what the load took.
    pub(crate) async fn load_and_publish_new_day(&mut self) -> Result<(Load, Publish)> {
        let offset = self.next_day;
        let files = self.sources.write_usage(offset, false)?;
        let ingest = self.pipeline.ingest(window(offset, offset + 1)?).await;
        let load = ingest.load_usage(&files.ndjson, day(offset)).await?;
        files.remove()?;
        let published = ingest.publish().await?;
        self.narrator.say(&format!("  {published}"));
        ensure!(published.counters.rows_written > 0, "a new day has rows: {published:?}");
        self.next_day += 1;
        Ok((load, published))
    }

    /// Loads an old day with one more record, and publishes the resulting
    /// changes. Each `repetition` uses another day.
    pub(crate) async fn publish_late_record(&mut self, repetition: u32) -> Result<(Load, Publish)> {
        let newest = self.next_day - 1;
        let offset = newest - LATE_DAYS - repetition;
        let files = self.sources.write_usage(offset, true)?;
        let ingest = self.pipeline.ingest(window(newest, newest + 1)?).await;
        let load = ingest.load_usage(&files.ndjson, day(offset)).await?;
        files.remove()?;
        ensure!(load.counters.rows_written == 1, "one record is late: {:?}", load.counters);
        let published = ingest.publish().await?;
        self.narrator.say(&format!("  {published}"));
        Ok((load, published))
    }

    /// Delivers both exports and the newest day again, and publishes: returns
    /// how many rows that writes and removes in total.
    pub(crate) async fn deliver_again(&mut self) -> Result<u64> {
        self.narrator.say("e: delivering the same again");
        let newest = self.next_day - 1;
        let (crm, next) = (self.sources.write_crm(false)?, self.sources.write_crm(true)?);
        let files = self.sources.write_usage(newest, false)?;
        let ingest = self.pipeline.ingest(window(newest, newest + 1)?).await;
        let deliveries = [
            ingest.load_crm(&crm, day(0)).await?.counters,
            ingest.load_crm(&next, day(1)).await?.counters,
            ingest.load_usage(&files.ndjson, day(newest)).await?.counters,
            ingest.publish().await?.counters,
        ];
        files.remove()?;
        Ok(deliveries.iter().map(|counters| counters.rows_written + counters.rows_removed).sum())
    }

    /// Loads and publishes further days until the history has this many.
    pub(crate) async fn grow_history(&mut self, days: u32) -> Result<()> {
        let offsets: Vec<u32> = (self.next_day..days).collect();
        let bar = self.narrator.steps("growing the history", days.saturating_sub(self.next_day));
        for month in offsets.chunks(HISTORY_RUN_DAYS) {
            let (Some(first), Some(last)) = (month.first(), month.last()) else { continue };
            let ingest = self.pipeline.ingest(window(*first, last + 1)?).await;
            for offset in month {
                let files = self.sources.write_usage(*offset, false)?;
                ingest.load_usage(&files.ndjson, day(*offset)).await?;
                files.remove()?;
                bar.inc(1);
            }
            ingest.publish().await?;
            self.next_day = last + 1;
        }
        bar.finish_and_clear();
        Ok(())
    }
}
