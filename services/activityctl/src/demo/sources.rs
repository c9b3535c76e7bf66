//! The demo's sources: a CRM that drops exports into a folder, and a product API.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use chrono::NaiveDate;
use sample_sources::{ApiOptions, PRODUCT_USAGE_PATH, UsageBook, World, WorldOptions, serve_api};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

/// The file of records that the API serves, for `sample-api`.
pub(super) const USAGE_FILE: &str = "usage.ndjson";

/// Sample sources with the knowledge of a given morning.
#[derive(Debug)]
pub(super) struct SampleSources {
    world: Arc<World>,
    book: UsageBook,
    root: PathBuf,
    address: SocketAddr,
    server: JoinHandle<anyhow::Result<()>>,
    shutdown: CancellationToken,
}

impl SampleSources {
    /// Generates a world below `root` and serves its API, empty at first, until `shutdown`.
    ///
    /// # Errors
    /// If no port is free.
    pub(super) async fn start(
        options: WorldOptions,
        root: &Path,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on 127.0.0.1")?;
        let address = listener.local_addr()?;
        let book = UsageBook::new();
        let server = tokio::spawn(serve_api(listener, book.clone(), ApiOptions::default(), shutdown.clone()));
        let world = Arc::new(spawn_blocking(|| World::generate(options)).await?);
        Ok(Self { world, book, root: root.to_owned(), address, server, shutdown })
    }

    /// The product API's endpoint.
    #[must_use]
    pub(super) fn api_url(&self) -> String {
        format!("http://{}{PRODUCT_USAGE_PATH}", self.address)
    }

    /// Brings the sources to the morning of `as_of`: an export for each day
    /// before it, and usage with the late records and corrections that have
    /// arrived by then. Returns the number of usage records.
    ///
    /// # Errors
    /// If a file cannot be written, or the shutdown interrupts it.
    pub(super) async fn advance_to(&self, as_of: NaiveDate) -> anyhow::Result<usize> {
        let (world, book, root) = (Arc::clone(&self.world), self.book.clone(), self.root.clone());
        let shutdown = self.shutdown.clone();
        spawn_blocking(move || {
            let crm_folder = root.join("crm/daily");
            fs::create_dir_all(&crm_folder)
                .with_context(|| format!("cannot create {}", crm_folder.display()))?;
            for day in world.days().take_while(|day| *day < as_of) {
                anyhow::ensure!(!shutdown.is_cancelled(), "interrupted");
                book.replace_day(day, world.usage_as_of(day, as_of).map(|record| record.to_json()))?;
                write_export_if_new(&world, day, &crm_folder)?;
            }
            write_usage(&book, &root.join(USAGE_FILE))?;
            Ok(book.len())
        })
        .await?
    }

    /// Waits for the API to end after its shutdown.
    ///
    /// # Errors
    /// If it failed.
    pub(super) async fn ended(self) -> anyhow::Result<()> {
        self.server.await?
    }
}

/// An existing export stays untouched, as a CRM would leave it.
fn write_export_if_new(world: &World, day: NaiveDate, folder: &Path) -> anyhow::Result<()> {
    let export = world.crm_export(day);
    let path = folder.join(export.file_name);
    if path.exists() {
        return Ok(());
    }
    fs::write(&path, export.csv).with_context(|| format!("cannot write {}", path.display()))
}

fn write_usage(book: &UsageBook, path: &Path) -> anyhow::Result<()> {
    let mut file =
        BufWriter::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?);
    for record in book.days().into_iter().flat_map(|day| book.records(day)) {
        writeln!(file, "{record}")?;
    }
    Ok(file.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_morning_adds_an_export_and_leaves_the_others_alone() {
        let root = tempfile::tempdir().unwrap();
        let shutdown = CancellationToken::new();
        let options = WorldOptions { companies: 20, days: 3, ..WorldOptions::default() };
        let end = World::generate(options.clone()).end();
        let sources = SampleSources::start(options, root.path(), shutdown.clone()).await.unwrap();

        let before = sources.advance_to(end.pred_opt().unwrap()).await.unwrap();
        let first = root.path().join("crm/daily/companies_2026-01-01.csv");
        let written = fs::metadata(&first).unwrap().modified().unwrap();
        assert!(!root.path().join("crm/daily/companies_2026-01-03.csv").exists());

        let after = sources.advance_to(end).await.unwrap();
        assert!(after > before);
        assert!(root.path().join("crm/daily/companies_2026-01-03.csv").exists());
        assert_eq!(fs::metadata(&first).unwrap().modified().unwrap(), written);
        let usage = fs::read_to_string(root.path().join(USAGE_FILE)).unwrap();
        assert_eq!(usage.lines().count(), after);

        shutdown.cancel();
        assert_eq!(sources.advance_to(end).await.unwrap_err().to_string(), "interrupted");
        sources.ended().await.unwrap();
    }
}
