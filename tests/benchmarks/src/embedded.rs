//! The embedded engine: the same cases, compared with its own new day. It has
//! no server to copy into.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{
    data::{Sources, day, window},
    journey::Journey,
    measured::median,
    options::Options,
    pipeline::Pipeline,
    progress::Narrator,
    report::{Aim, Report},
};

pub(crate) async fn measure(options: &Options, narrator: &Narrator, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Options { embedded_companies: companies, days, repetitions, .. } = *options;
    let section =
        report.section(format!("Embedded engine (SQLite): {companies} companies, {days} days of history"));
    narrator.say("embedded: opening");
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let pipeline = Pipeline::new(warehouse::open(&url).await?);
    let mut journey = Journey::new(narrator, pipeline, Sources::new(companies, folder.path()));

    let (crm, next) = (journey.sources.write_crm(false)?, journey.sources.write_crm(true)?);
    let ingest = journey.pipeline.ingest(window(0, days)?).await;
    let load = ingest.load_crm(&crm, day(0)).await?;
    ensure!(load.counters.rows_written == u64::from(companies), "{:?}", load.counters);
    section.time("a", "CRM export, all rows new", load.took);
    section.time("", "  the next day's, 2 % changed", ingest.load_crm(&next, day(1)).await?.took);

    let bar = narrator.steps("embedded, b: loading the usage of every day", days);
    let (mut took, mut rows) = (Duration::ZERO, 0);
    for offset in 0..days {
        let files = journey.sources.write_usage(offset, false)?;
        let load = ingest.load_usage(&files.ndjson, day(offset)).await?;
        files.remove()?;
        took += load.took;
        rows += load.counters.rows_written;
        bar.inc(1);
    }
    bar.finish_and_clear();
    section.time("b", &format!("usage, {rows} rows"), took);

    narrator.say("embedded, f: full rebuild");
    let rebuilt = ingest.publish().await?;
    narrator.say(&format!("  {rebuilt}"));
    section.time("f", &format!("full rebuild, {} rows", rebuilt.counters.rows_written), rebuilt.took());
    journey.next_day = days;

    narrator.say("embedded, c: publishing new days");
    let new_day = median(new_days(&mut journey, repetitions).await?);
    section.time("c", "one new day", new_day);

    narrator.say("embedded, d: publishing one late record");
    let mut late = Vec::new();
    for repetition in 0..repetitions {
        late.push(journey.publish_late_record(repetition).await?.1.took());
    }
    section.compare("d", "one late record / c", median(late), new_day, Aim::Unreported);
    section.count("e", "identical redelivery, rows written", journey.deliver_again().await?, 0);

    if !options.skip_history {
        journey.grow_history(options.history_days).await?;
        narrator.say("embedded, g: publishing new days");
        let after = median(new_days(&mut journey, repetitions).await?);
        let what = format!("one new day after {} days / c", options.history_days);
        section.compare("g", &what, after, new_day, Aim::Unreported);
    }
    Ok(())
}

async fn new_days(journey: &mut Journey<'_>, repetitions: u32) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..repetitions {
        times.push(journey.publish_new_day().await?.took());
    }
    Ok(times)
}
