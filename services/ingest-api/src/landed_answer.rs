//! What a landed file has of some companies, and on which page it stood.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use domain::{CompanyId, usage::page_of};
use futures::TryStreamExt;
use landing::{NumberedLines, Storage};
use uuid::Uuid;
use warehouse::UsageDayState;

use crate::{
    answer::Answer,
    answer_options::Reading,
    day_reader::{DayReader, MAX_RECORD_BYTES},
    difference::Landed,
    error::Error,
    usage_file::is_loaded,
};

/// Where a company's record stood when its day was last fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LandedPlace {
    /// The landed file; `None` if the answer had no records.
    pub(crate) path: Option<String>,
    /// The record's line, from 1; `None` if the file has none of the company, or is gone.
    pub(crate) line: Option<u64>,
    /// The page it stood on, from 1.
    pub(crate) page: Option<u64>,
    /// When the day was fetched.
    pub(crate) fetched_at: DateTime<Utc>,
    /// The run that fetched it.
    pub(crate) run_id: Uuid,
}

/// A day's landed answer.
pub(crate) struct LandedAnswer {
    state: UsageDayState,
    /// `None` if the file is gone, or another one than was loaded.
    answer: Option<Answer>,
}

impl LandedAnswer {
    /// Reads the records of `wanted` companies line by line, as loading them did.
    ///
    /// # Errors
    /// If the landing cannot be read.
    pub(crate) async fn read(
        storage: &Storage,
        state: UsageDayState,
        reading: Arc<Reading>,
        wanted: &BTreeSet<&CompanyId>,
    ) -> Result<Self, Error> {
        let day = state.day;
        let read = async {
            let Some(path) = &state.landing_path else { return Ok(Some(Answer::default())) };
            let file = storage.info(path).await?;
            let loaded = file.filter(|file| is_loaded(file, state.etag.as_deref(), state.bytes));
            let Some(file) = loaded else { return Ok(None) };
            let mut lines = NumberedLines::new(storage.read(&file).await?, MAX_RECORD_BYTES);
            let (mut reader, mut answer) = (DayReader::new(day, reading), Answer::default());
            while let Some(line) = lines.try_next().await? {
                answer.take(reader.line(line), |company| wanted.contains(company));
            }
            Ok(Some(answer))
        };
        match read.await {
            Ok(answer) => Ok(Self { state, answer }),
            Err(landing::Error::Changed { .. } | landing::Error::NotFound { .. }) => {
                Ok(Self { state, answer: None })
            }
            Err(source) => Err(Error::Landing { day, source }),
        }
    }

    /// What the file has of a company.
    pub(crate) fn of(&self, company: &CompanyId) -> Landed {
        let Some(answer) = &self.answer else { return Landed::Unknown };
        match answer.companies.get(company).map(|found| &found.numbers) {
            Some(Ok(numbers)) => Landed::Record(*numbers),
            Some(Err(reason)) => Landed::Unreadable(reason.clone()),
            None => Landed::Absent { of_anyone: answer.of_anyone },
        }
    }

    /// Where the company's record stood.
    pub(crate) fn place_of(&self, company: &CompanyId) -> LandedPlace {
        let found = self.answer.as_ref().and_then(|answer| {
            let line = answer.companies.get(company)?.line;
            Some((line, page_of(&self.state.page_ends, line, answer.records)))
        });
        let UsageDayState { landing_path, fetched_at, run_id, .. } = &self.state;
        LandedPlace {
            path: landing_path.clone(),
            line: found.map(|(line, _)| line),
            page: found.and_then(|(_, page)| page),
            fetched_at: *fetched_at,
            run_id: *run_id,
        }
    }
}
