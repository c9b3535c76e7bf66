//! One new day in warehouses of several sizes.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{
    bare::checkpoint,
    data::{Sources, day, window},
    journey::Journey,
    measured::median,
    options::{Options, Size},
    pipeline::Pipeline,
    progress::Narrator,
    report::Report,
    server::Server,
};

pub(crate) async fn measure(options: &Options, narrator: &Narrator, report: &mut Report) -> Result<()> {
    let server = Server::start(options).await?;
    let section = report.section("Postgres: one new day".to_owned());
    let mut sizes = options.growth.clone();
    // The history of one size is the beginning of the next one's.
    sizes.sort_by_key(|size| (size.companies, size.days));
    for same in sizes.chunk_by(|one, other| one.companies == other.companies) {
        let Some(companies) = same.first().map(|size| size.companies) else { continue };
        let database = server.create_database().await?;
        let folder = tempfile::tempdir()?;
        let pipeline = Pipeline::new(warehouse::open(&database.url()).await?);
        let mut journey = Journey::new(narrator, pipeline, Sources::new(companies, folder.path()));
        let export = journey.sources.write_crm(false)?;
        let ingest = journey.pipeline.ingest(window(0, 1)?).await;
        let load = ingest.load_crm(&export, day(0)).await?;
        ensure!(load.counters.rows_written == u64::from(companies), "{:?}", load.counters);
        ingest.abandon().await;
        for Size { days, .. } in same {
            journey.grow_history(*days).await?;
            let mut times = Vec::new();
            for _ in 0..options.repetitions {
                checkpoint(&database).await?;
                times.push(new_day(&mut journey).await?);
            }
            section.time("", &format!("{companies} companies, {days} days"), median(times));
        }
    }
    Ok(())
}

/// The day's load, build, audit and publish.
async fn new_day(journey: &mut Journey<'_>) -> Result<Duration> {
    let (load, publish) = journey.load_and_publish_new_day().await?;
    Ok(load.took + publish.took())
}
