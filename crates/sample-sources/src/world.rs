//! A world: companies, and what the sources say about them on any day.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use chrono::{Days, NaiveDate};

use crate::{
    company_profile::{CompanyProfile, Scene},
    crm_export,
    crm_export::CrmExportFile,
    defects::{DefectRates, UsageDefect, happens},
    random_stream::{Purpose, RandomStreams},
    revision::Revision,
    usage_book::{UsageBook, UsageBookError},
    usage_curve::{DailyUsage, whole},
    usage_record::SampleRecord,
};

/// The first day of the default world: a Thursday.
const DEFAULT_FIRST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2026, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// Which world to generate. Equal options give byte-identical sources.
#[derive(Debug, Clone, PartialEq)]
pub struct WorldOptions {
    /// The source of all randomness. Default 1.
    pub seed: u64,
    /// Total number of companies, past and future. Default 200.
    pub companies: usize,
    /// The first day with data. Default 2026-01-01.
    pub first_day: NaiveDate,
    /// How many days have data. Default 60.
    pub days: u32,
    /// How often the sources misbehave. [`DefectRates::NONE`] for never.
    pub defects: DefectRates,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            companies: 200,
            first_day: DEFAULT_FIRST_DAY,
            days: 60,
            defects: DefectRates::default(),
        }
    }
}

/// Companies and their lives. Holds a profile for each company; its activity on a day
/// is drawn on demand, from a stream of its own.
///
/// Sources are asked on the morning of some day `as_of`: they then know the days before
/// it. So a pipeline that runs on day D+1 to publish day D sees the world as of D+1.
#[derive(Debug, Clone)]
pub struct World {
    options: WorldOptions,
    companies: Vec<CompanyProfile>,
}

/// What [`World::write_to`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleFiles {
    /// The folder with the CRM exports: `<folder>/crm/daily`.
    pub crm_folder: PathBuf,
    /// How many exports were written.
    pub crm_exports: usize,
    /// The usage records: `<folder>/usage.ndjson`.
    pub usage_file: PathBuf,
    /// How many records were written.
    pub usage_records: usize,
}

impl World {
    /// Draws the companies of a world.
    #[must_use]
    pub fn generate(options: WorldOptions) -> Self {
        let streams = RandomStreams { seed: options.seed };
        let scene = Scene { first_day: options.first_day, days: options.days, defects: &options.defects };
        let companies = (0..)
            .take(options.companies)
            .map(|index| CompanyProfile::draw(index, &scene, &mut streams.stream(Purpose::Profile, index, 0)))
            .collect();
        Self { options, companies }
    }

    /// The days with data, in order.
    pub fn days(&self) -> impl Iterator<Item = NaiveDate> + use<> {
        self.options.first_day.iter_days().zip(0..self.options.days).map(|(day, _)| day)
    }

    /// The first day after the world: the earliest morning on which its last day is
    /// known, though not yet every late record and correction.
    #[must_use]
    pub fn end(&self) -> NaiveDate {
        let days = Days::new(u64::from(self.options.days));
        self.options.first_day.checked_add_days(days).unwrap_or(NaiveDate::MAX)
    }

    /// The CRM export of `day`: the full state at its end, bad rows included.
    #[must_use]
    pub fn crm_export(&self, day: NaiveDate) -> CrmExportFile {
        let mut csv = Vec::new();
        #[expect(clippy::expect_used, reason = "memory takes every write, and a flexible writer every row")]
        crm_export::write_export(&self.companies, self.streams(), day, &mut csv)
            .expect("writing CSV to memory cannot fail");
        CrmExportFile { file_name: crm_export::file_name(day), csv }
    }

    /// What the product API returns for `day` if asked on `as_of`, ordered by company.
    /// Late records and corrections appear as `as_of` advances; before the day is over
    /// there is nothing.
    pub fn usage_as_of(&self, day: NaiveDate, as_of: NaiveDate) -> impl Iterator<Item = SampleRecord> {
        let known = self.options.first_day <= day && day < self.end() && day < as_of;
        let companies = if known { self.companies.as_slice() } else { &[] };
        companies.iter().flat_map(move |company| self.records_of(company, day, as_of))
    }

    /// Fills `book` with what the product API returns on `as_of`, for all days.
    ///
    /// # Errors
    /// Never in practice: the records are JSON objects.
    pub fn fill(&self, book: &UsageBook, as_of: NaiveDate) -> Result<(), UsageBookError> {
        for day in self.days() {
            book.replace_day(day, self.usage_as_of(day, as_of).map(|record| record.to_json()))?;
        }
        Ok(())
    }

    /// Writes what the sources hold on the morning of `as_of`: an export for each
    /// earlier day under `folder/crm/daily/`, and the usage of those days in
    /// `folder/usage.ndjson`. Existing files are replaced. Blocks on the disk; memory
    /// does not grow with the days.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_to(&self, folder: &Path, as_of: NaiveDate) -> io::Result<SampleFiles> {
        let crm_folder = folder.join("crm").join("daily");
        fs::create_dir_all(&crm_folder)?;
        let usage_file = folder.join("usage.ndjson");
        let mut usage = BufWriter::new(File::create(&usage_file)?);
        let (mut crm_exports, mut usage_records) = (0, 0);
        for day in self.days().take_while(|day| *day < as_of) {
            let export = BufWriter::new(File::create(crm_folder.join(crm_export::file_name(day)))?);
            crm_export::write_export(&self.companies, self.streams(), day, export)?;
            crm_exports += 1;
            for record in self.usage_as_of(day, as_of) {
                writeln!(usage, "{}", record.to_json())?;
                usage_records += 1;
            }
        }
        usage.flush()?;
        Ok(SampleFiles { crm_folder, crm_exports, usage_file, usage_records })
    }

    fn streams(&self) -> RandomStreams {
        RandomStreams { seed: self.options.seed }
    }

    /// A company's records of a day: none, one, or one twice.
    fn records_of(
        &self,
        company: &CompanyProfile,
        day: NaiveDate,
        as_of: NaiveDate,
    ) -> impl Iterator<Item = SampleRecord> + use<> {
        let (record, copies) = self.record_of(company, day, as_of).unzip();
        record.into_iter().flat_map(move |record| std::iter::repeat_n(record, copies.unwrap_or(1)))
    }

    fn record_of(
        &self,
        company: &CompanyProfile,
        day: NaiveDate,
        as_of: NaiveDate,
    ) -> Option<(SampleRecord, usize)> {
        let curve = company.usage.as_ref().filter(|curve| curve.days.contains(day))?;
        let since_start = (day - self.options.first_day).num_days();
        let mut rng = self.streams().stream(Purpose::Usage, company.index, since_start);
        let usage = curve.usage(day, self.options.first_day, &mut rng)?;
        // All of these are drawn whatever `as_of` is, so that a record's fate does not
        // depend on when it is looked at.
        let revision = Revision::draw(&self.options.defects, &mut rng);
        let defect = UsageDefect::draw(self.options.defects.bad_records, &mut rng);
        let copies = if happens(self.options.defects.repeated_records, &mut rng) { 2 } else { 1 };
        let DailyUsage { active_users, events } = usage.scaled(revision.share_at((as_of - day).num_days())?);
        let company_id = company.company_id.clone();
        Some((SampleRecord { company_id, date: day, active_users, events, defect }, copies))
    }
}

impl DailyUsage {
    /// The part of it that is known so far.
    #[expect(clippy::cast_precision_loss, reason = "event counts are far below 2^53")]
    fn scaled(self, share: f64) -> Self {
        let active_users = whole(f64::from(self.active_users) * share);
        Self {
            active_users: u32::try_from(active_users).unwrap_or(u32::MAX),
            events: whole(self.events as f64 * share),
        }
    }
}
