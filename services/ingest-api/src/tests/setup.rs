//! The common setup of the tests.

use std::sync::Arc;

use chrono::NaiveDate;
use clap::Parser;
use domain::date_window::parse_day;
use futures::TryStreamExt;
use runtime::StoppedClock;

use crate::{
    answer_options::Reading,
    api::{ProductApi, Session},
    config::Options,
    error::Error,
    page::Page,
    paging::pages,
};

pub(super) const TOKEN: &str = "s3cr3t-t0ken";

/// The day that most tests request.
pub(super) const DAY: &str = "2026-01-05";

pub(super) fn day(text: &str) -> NaiveDate {
    parse_day(text).unwrap()
}

/// The time at which the tests run.
pub(super) fn clock() -> StoppedClock {
    StoppedClock("2026-01-06T06:00:00Z".parse().unwrap())
}

/// Options with a token and near-instant retries, overridden by `flags`.
pub(super) fn options(url: &str, flags: &[&str]) -> Options {
    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }
    let defaults = [
        "test",
        "--product-api-url",
        url,
        "--product-api-token",
        TOKEN,
        "--product-api-min-backoff=1ms",
        "--product-api-max-backoff=2ms",
        "--product-api-max-retry-after=1ms",
    ];
    CommandLine::parse_from(defaults.iter().chain(flags)).options
}

pub(super) fn api(options: &Options) -> ProductApi {
    ProductApi::new(options, Arc::new(clock())).unwrap()
}

pub(super) fn session(url: &str, flags: &[&str]) -> Session {
    api(&options(url, flags)).session().unwrap()
}

/// The default way to read records.
pub(crate) fn default_reading() -> Arc<Reading> {
    api(&options("http://127.0.0.1:9/", &[])).reading()
}

/// All pages of [`DAY`].
pub(super) async fn fetch(url: &str, flags: &[&str]) -> Result<Vec<Page>, Error> {
    pages(&session(url, flags), day(DAY)).map_ok(|(_, page)| page).try_collect().await
}

pub(super) fn records(pages: &[Page]) -> Vec<&str> {
    pages.iter().flat_map(Page::lines).collect()
}
