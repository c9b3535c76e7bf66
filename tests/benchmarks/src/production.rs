//! The Postgres engine, compared with bare statements on the same server.

use std::{path::Path, time::Duration};

use anyhow::{Result, ensure};
use test_postgres::Database;

use crate::{
    bare::{self, BareFact, CopyInto, checkpoint},
    data::{Sources, day, window},
    journey::Journey,
    measured::median,
    options::Options,
    pipeline::Pipeline,
    progress::Narrator,
    report::{Aim, Report, Section},
    server::Server,
};

/// The longest that publishing whole new months may take.
const PUBLISH_BOUND: Duration = Duration::from_secs(1);

pub(crate) async fn measure(options: &Options, narrator: &Narrator, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    narrator.say("starting Postgres");
    let server = Server::start(options).await?;
    let section = report
        .section(format!("Postgres: {} companies, {} days of history", options.companies, options.days));
    let bench = load_crm(options, narrator, &server, folder.path(), section).await?;
    bench.measure(section).await
}

/// A: the export, loaded into a new warehouse each time; returns the last warehouse.
async fn load_crm<'a>(
    options: &'a Options,
    narrator: &'a Narrator,
    server: &Server,
    folder: &Path,
    section: &mut Section,
) -> Result<Bench<'a>> {
    narrator.say("a: loading the CRM export");
    let sources = Sources::new(options.companies, folder);
    let (file, next) = (sources.write_crm(false)?, sources.write_crm(true)?);
    let (mut ours, mut ours_next, mut bare, mut keys) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..options.repetitions {
        drop(last.take());
        let database = server.create_database().await?;
        let mut pipeline = Pipeline::new(warehouse::open(&database.url()).await?);
        for (table, times) in [(CopyInto::Crm, &mut bare), (CopyInto::CrmKeys, &mut keys)] {
            table.recreate(&database).await?;
            checkpoint(&database).await?;
            times.push(table.copy(&database, &file).await?);
        }
        checkpoint(&database).await?;
        let ingest = pipeline.ingest(window(0, 1)?).await;
        let load = ingest.load_crm(&file, day(0)).await?;
        ensure!(load.counters.rows_written == u64::from(options.companies), "{:?}", load.counters);
        ours.push(load.took);
        ours_next.push(ingest.load_crm(&next, day(1)).await?.took);
        ingest.abandon().await;
        last = Some((database, pipeline));
    }
    let Some((database, pipeline)) = last else { anyhow::bail!("no repetition") };
    let (ours, bare) = (median(ours), median(bare));
    section.compare("a", "CRM export, all rows new / \\copy", ours, bare, Aim::Unreported);
    let keys = median(keys);
    section.compare("", "  / \\copy with the two keys of a history", ours, keys, Aim::AtMost(2.0));
    section.compare("", "  the next day's, 2 % changed / \\copy", median(ours_next), bare, Aim::AtMost(1.3));
    let journey = Journey::new(narrator, pipeline, sources);
    Ok(Bench { options, database, journey })
}

/// A warehouse, and the database that the bare side shares with it.
struct Bench<'a> {
    options: &'a Options,
    database: Database,
    journey: Journey<'a>,
}

impl Bench<'_> {
    async fn measure(mut self, section: &mut Section) -> Result<()> {
        self.load_history_and_rebuild(section).await?;
        let first_day = self.publish_first_day(section).await?;
        let new_day = self.publish_new_days(section).await?;
        let what = "the first day after the load / c";
        section.compare("", what, first_day, new_day, Aim::AtMost(1.2));
        self.load_daily_exports(section).await?;
        self.publish_late_records(section, new_day).await?;
        let written = self.journey.deliver_again().await?;
        section.count("e", "identical redelivery, rows written", written, 0);
        if !self.options.skip_history {
            self.publish_after_long_history(section, new_day).await?;
        }
        Ok(())
    }

    /// B and f: all days, by both sides in turn; then everything is built and published from scratch.
    async fn load_history_and_rebuild(&mut self, section: &mut Section) -> Result<()> {
        let (days, narrator, database) = (self.options.days, self.journey.narrator, &self.database);
        CopyInto::Usage.recreate(database).await?;
        let bar = narrator.steps("b: loading the usage of every day", days);
        let ingest = self.journey.pipeline.ingest(window(0, days)?).await;
        let (mut ours, mut bare, mut rows) = (Duration::ZERO, Duration::ZERO, 0);
        for offset in 0..days {
            let files = self.journey.sources.write_usage(offset, false)?;
            bare += CopyInto::Usage.copy(database, &files.csv).await?;
            let load = ingest.load_usage(&files.ndjson, day(offset)).await?;
            ours += load.took;
            rows += load.counters.rows_written;
            files.remove()?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        self.journey.next_day = days;
        section.compare("b", &format!("usage, {rows} rows / \\copy"), ours, bare, Aim::AtMost(2.0));
        bare::drop_tables(database, "bare_usage, bare_crm, bare_crm_keys").await?;

        narrator.say("f: the seed's statement");
        checkpoint(database).await?;
        let seed = bare::create_as_in_seed(database).await?;
        narrator.say("f: full rebuild");
        checkpoint(database).await?;
        let rebuilt = ingest.publish().await?;
        narrator.say(&format!("  {rebuilt}"));
        let took = rebuilt.took();
        section.compare("f", "full rebuild / the seed's CREATE TABLE AS", took, seed.bare, Aim::AtMost(2.0));
        let what = "  / the same with the fact's key and indexes";
        section.compare("", what, took, seed.indexed, Aim::AtMost(1.5));
        section.bound("", "  publishing it, for which others may wait", rebuilt.publish, PUBLISH_BOUND);
        section.note(format!(
            "f: the seed's statement writes {rows} rows, those that have usage; the rebuild writes {} rows, silent \
             companies included, audits and hashes them, and leaves three indexes.",
            rebuilt.counters.rows_written
        ));
        section.note(format!("f: {rebuilt}"));
        Ok(())
    }

    /// The day after the whole history was published, without a pause or a checkpoint.
    async fn publish_first_day(&mut self, section: &mut Section) -> Result<Duration> {
        self.journey.narrator.say("c: publishing the first day after the load");
        let published = self.journey.publish_new_day().await?;
        section.note(format!("the first day after the load: {published}"));
        Ok(published.took())
    }

    /// A again, beside a published history: exports of later days, each with 2 % changed.
    async fn load_daily_exports(&mut self, section: &mut Section) -> Result<()> {
        self.journey.narrator.say("a: loading daily exports beside published days");
        let first = self.journey.next_day;
        let repetitions = self.options.repetitions;
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for offset in first..first + repetitions {
            // The two exports take turns, so that each differs from the one before it.
            let file = self.journey.sources.write_crm((offset - first) % 2 == 1)?;
            CopyInto::Crm.recreate(&self.database).await?;
            checkpoint(&self.database).await?;
            bare.push(CopyInto::Crm.copy(&self.database, &file).await?);
            let ingest = self.journey.pipeline.ingest(window(offset, offset + 1)?).await;
            let load = ingest.load_crm(&file, day(offset)).await?;
            ensure!(load.counters.rows_written > 0, "{:?}", load.counters);
            ours.push(load.took);
            ingest.abandon().await;
        }
        bare::drop_tables(&self.database, "bare_crm").await?;
        let what = "a daily export beside published days, 2 % changed / \\copy";
        section.compare("", what, median(ours), median(bare), Aim::AtMost(1.3));
        Ok(())
    }

    /// C: new days, one after the other, by both sides in turn.
    async fn publish_new_days(&mut self, section: &mut Section) -> Result<Duration> {
        let narrator = self.journey.narrator;
        narrator.say("c: preparing bare tables with the same history");
        for table in [BareFact::Plain, BareFact::Partitioned] {
            table.create(&self.database, day(self.journey.next_day + self.options.repetitions)).await?;
        }
        narrator.say("c: publishing new days");
        let (mut ours, mut plain, mut partitioned) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.options.repetitions {
            let on = day(self.journey.next_day);
            checkpoint(&self.database).await?;
            let published = self.journey.publish_new_day().await?;
            section.note(format!("c: {published}"));
            ours.push(published.took());
            checkpoint(&self.database).await?;
            plain.push(BareFact::Plain.insert_day(&self.database, on).await?);
            checkpoint(&self.database).await?;
            partitioned.push(BareFact::Partitioned.insert_day(&self.database, on).await?);
            let differing = BareFact::Plain.differences(&self.database, on).await?;
            ensure!(differing == 0, "{differing} rows of {on} differ from the bare ones");
        }
        bare::drop_tables(&self.database, "bare_fact, bare_fact_by_month").await?;
        let ours = median(ours);
        section.compare("c", "one new day / bare INSERT ... SELECT", ours, median(plain), Aim::AtMost(1.5));
        section.compare(
            "",
            "  / the same into monthly partitions",
            ours,
            median(partitioned),
            Aim::Unreported,
        );
        Ok(ours)
    }

    /// D: late records.
    async fn publish_late_records(&mut self, section: &mut Section, new_day: Duration) -> Result<()> {
        self.journey.narrator.say("d: publishing one late record");
        let (mut loads, mut ours, mut written) = (Vec::new(), Vec::new(), 0);
        for repetition in 0..self.options.repetitions {
            checkpoint(&self.database).await?;
            let (load, published) = self.journey.publish_late_record(repetition).await?;
            loads.push(load.took);
            ours.push(published.took());
            written = published.counters.rows_written;
        }
        section.compare("d", "one late record / c", median(ours), new_day, Aim::Below(0.1));
        section.time("", "  loading the day that brings it", median(loads));
        section.note(format!("d: {written} rows of the fact written for one record"));
        Ok(())
    }

    /// G: the history grows, then new days follow again.
    async fn publish_after_long_history(&mut self, section: &mut Section, new_day: Duration) -> Result<()> {
        self.journey.grow_history(self.options.history_days).await?;
        self.journey.narrator.say("g: publishing new days");
        let mut ours = Vec::new();
        for _ in 0..self.options.repetitions {
            checkpoint(&self.database).await?;
            let published = self.journey.publish_new_day().await?;
            section.note(format!("g: {published}"));
            ours.push(published.took());
        }
        let what = format!("one new day after {} days / c", self.options.history_days);
        section.compare("g", &what, median(ours), new_day, Aim::AtMost(1.2));
        Ok(())
    }
}
