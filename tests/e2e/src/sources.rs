//! The sources of the suite under test: a folder of CRM exports, a product API
//! and a folder of event files. A test may change all of them while the suite
//! runs.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use domain::date_window::parse_day;
use sample_sources::{ApiOptions, Faults, PRODUCT_USAGE_PATH, RequestLog, UsageBook, World, serve_api};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// The bearer token of the product API. It must never appear in a log.
pub const API_TOKEN: &str = "e2e-secret-token-4f1c";

/// The sources of one test.
#[derive(Debug)]
pub struct Sources {
    crm: PathBuf,
    events: PathBuf,
    address: SocketAddr,
    /// The records of the product API.
    pub book: UsageBook,
    /// The faults of its answers.
    pub faults: Faults,
    /// The requests it received.
    pub requests: RequestLog,
    _serving: DropGuard,
}

impl Sources {
    /// Starts a product API without records, and creates empty folders for
    /// exports and events below `folder`.
    ///
    /// # Errors
    /// If no port is free or a folder cannot be created.
    pub async fn start(folder: &Path) -> Result<Self> {
        let crm = folder.join("crm/daily");
        let events = folder.join("events");
        fs::create_dir_all(&crm)?;
        fs::create_dir_all(&events)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (book, faults, requests) = (UsageBook::new(), Faults::new(), RequestLog::new());
        let options = ApiOptions {
            token: Some(API_TOKEN.to_owned()),
            faults: faults.clone(),
            requests: requests.clone(),
            ..ApiOptions::default()
        };
        let shutdown = CancellationToken::new();
        tokio::spawn(serve_api(listener, book.clone(), options, shutdown.clone()));
        Ok(Self { crm, events, address, book, faults, requests, _serving: shutdown.drop_guard() })
    }

    /// The folder of CRM exports, as a URL.
    ///
    /// # Errors
    /// If its path is not absolute.
    pub fn crm_url(&self) -> Result<String> {
        folder_url(&self.crm)
    }

    /// The folder of event files, as a URL.
    ///
    /// # Errors
    /// If its path is not absolute.
    pub fn events_url(&self) -> Result<String> {
        folder_url(&self.events)
    }

    /// The product API's usage endpoint.
    #[must_use]
    pub fn product_api_url(&self) -> String {
        format!("http://{}{PRODUCT_USAGE_PATH}", self.address)
    }

    /// Atomically writes or replaces a CRM export.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put_export(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        put(&self.crm, name, content)
    }

    /// Atomically writes or replaces an event file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put_events(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        put(&self.events, name, content)
    }

    /// Delivers what an invented world's sources know on the morning of `as_of`.
    ///
    /// # Errors
    /// If it cannot be delivered.
    pub fn put_world(&self, world: &World, as_of: NaiveDate) -> Result<()> {
        for day in world.days().take_while(|day| *day < as_of) {
            let export = world.crm_export(day);
            // Rewriting it would make it another file, which is loaded again.
            if fs::read(self.crm.join(&export.file_name)).ok().as_deref() != Some(export.csv.as_ref()) {
                self.put_export(&export.file_name, export.csv)?;
            }
        }
        Ok(world.fill(&self.book, as_of)?)
    }

    /// Adds one record, given as JSON, to the product API.
    ///
    /// # Errors
    /// If it has no `date`.
    pub fn add_usage(&self, record: &str) -> Result<()> {
        let fields: serde_json::Value = serde_json::from_str(record)?;
        let day = fields["date"].as_str().and_then(parse_day).context("the record has no date")?;
        self.add_usage_on(day, record)
    }

    /// Adds one record to the product API's answers for `day`, whatever the record contains.
    ///
    /// # Errors
    /// If the record is not a JSON object.
    pub fn add_usage_on(&self, day: NaiveDate, record: &str) -> Result<()> {
        let mut records = self.book.records(day);
        records.push(record.to_owned());
        Ok(self.book.replace_day(day, records)?)
    }
}

/// Makes a file appear in a folder atomically.
fn put(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
    let partial = folder.with_file_name(name);
    fs::write(&partial, content)?;
    Ok(fs::rename(partial, folder.join(name))?)
}

/// A folder as a `file://` URL.
///
/// # Errors
/// If its path is not absolute.
pub fn folder_url(folder: &Path) -> Result<String> {
    let url = Url::from_directory_path(folder).ok().context("a folder's path must be absolute")?;
    Ok(url.to_string())
}
