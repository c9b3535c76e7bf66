//! What the sources say on each morning, for all contestants alike.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use chrono::{Days, NaiveDate};
use domain::DateWindow;
use e2e::sources::Sources;
use sample_sources::{DefectRates, UsageBook, World, WorldOptions};
use url::Url;

use crate::{options::Options, truth::Truth};

/// For how many days after a day its records change: late ones come, others are corrected or withdrawn.
pub(crate) const REVISED_DAYS: u64 = 3;

/// Sources that are well-formed but not final: every contestant can read them all, and has to read some twice.
const REVISIONS: DefectRates = DefectRates {
    late_records: 0.015,
    corrected_records: 0.01,
    withdrawn_records: 0.002,
    ..DefectRates::NONE
};

/// The world, day by day.
pub(crate) struct Mornings<'a> {
    world: World,
    days: Vec<NaiveDate>,
    exports: PathBuf,
    book: UsageBook,
    /// The product API's endpoint.
    pub(crate) api_url: String,
    truth: &'a Truth,
    folder: &'a Path,
}

impl<'a> Mornings<'a> {
    pub(crate) fn new(
        options: &Options,
        sources: &Sources,
        truth: &'a Truth,
        folder: &'a Path,
    ) -> Result<Self> {
        let world = World::generate(WorldOptions {
            companies: options.companies,
            days: options.days + options.rounds,
            defects: REVISIONS,
            ..WorldOptions::default()
        });
        let days = world.days().collect();
        let exports =
            Url::parse(&sources.crm_url()?)?.to_file_path().ok().context("exports are in a folder")?;
        let (book, api_url) = (sources.book.clone(), sources.product_api_url());
        Ok(Self { world, days, exports, book, api_url, truth, folder })
    }

    /// The days before the first new one.
    pub(crate) fn history(&self, days: u32) -> Result<DateWindow> {
        let (first, last) = (self.days.first(), self.days.get(days as usize - 1));
        Ok(DateWindow::new(*first.context("no day")?, *last.context("too few days")?)?)
    }

    /// The new day of a round.
    pub(crate) fn new_day(&self, history_days: u32, round: u32) -> Result<NaiveDate> {
        self.days.get((history_days + round) as usize).copied().context("too few days")
    }

    /// Delivers everything up to a window's end, on the next morning; the window's days have not been delivered yet.
    pub(crate) fn deliver(&self, window: DateWindow) -> Result<u64> {
        for day in window.days() {
            let export = self.world.crm_export(day);
            // It appears whole.
            let partial = self.folder.join(&export.file_name);
            fs::write(&partial, export.csv)?;
            fs::rename(&partial, self.export_of(day))?;
            self.truth.add_export(day, &self.export_of(day))?;
        }
        let as_of = window.end().succ_opt().context("the calendar ends")?;
        let first =
            window.start().checked_sub_days(Days::new(REVISED_DAYS)).context("the calendar begins")?;
        let csv = self.folder.join("usage_as_of.csv");
        let mut file = BufWriter::new(File::create(&csv)?);
        let mut records = 0;
        for day in self.days.iter().copied().filter(|day| (first..=window.end()).contains(day)) {
            let mut texts = Vec::new();
            for record in self.world.usage_as_of(day, as_of) {
                writeln!(file, "{},{day},{},{}", record.company_id, record.active_users, record.events)?;
                texts.push(record.to_json());
            }
            records += texts.len() as u64;
            self.book.replace_day(day, texts)?;
        }
        file.flush()?;
        self.truth.set_usage(first, &csv)?;
        Ok(records)
    }

    /// The export of a day.
    pub(crate) fn export_of(&self, day: NaiveDate) -> PathBuf {
        self.exports.join(format!("companies_{day}.csv"))
    }

    /// What the API says now about one day, as CSV.
    pub(crate) fn usage_csv(&self, day: NaiveDate) -> Result<PathBuf> {
        let csv = self.folder.join("usage_of_day.csv");
        let mut file = BufWriter::new(File::create(&csv)?);
        let as_of = day.succ_opt().context("the calendar ends")?;
        for record in self.world.usage_as_of(day, as_of) {
            writeln!(file, "{},{day},{},{}", record.company_id, record.active_users, record.events)?;
        }
        file.flush()?;
        Ok(csv)
    }
}
