//! Inspects a day's first page without loading it.

use std::{collections::BTreeSet, sync::Arc};

use chrono::NaiveDate;
use domain::{DateWindow, UsageRecord};
use runtime::Clock;
use serde::Serialize;

use crate::{
    answer_options::Reading,
    api::ProductApi,
    config::Options,
    page::PageRef,
    record::{ReadRecord, UnreadableRecord, parse_record},
};

/// How many records and reasons to show.
const SHOWN_RECORDS: usize = 3;

/// What was understood of a day's first page.
#[derive(Debug, Serialize)]
pub struct ApiInspection {
    /// The day.
    pub day: NaiveDate,
    /// The number of records requested.
    pub page_size: u32,
    /// The number of records received.
    pub records: usize,
    /// How many of them are not valid usage.
    pub rejected: usize,
    /// The first records.
    pub sample: Vec<SampleUsage>,
    /// How many have exact numbers or dates in another form than promised.
    pub in_other_forms: usize,
    /// Why a run would not believe the answer.
    pub problem: Option<String>,
    /// The first reasons why records are not valid usage.
    pub reasons: Vec<String>,
    /// The companies in the valid records.
    #[serde(skip)]
    pub company_ids: BTreeSet<String>,
}

/// A record as parsed.
#[derive(Debug, Serialize)]
pub struct SampleUsage {
    /// The company.
    pub company_id: String,
    /// The record's day.
    pub date: NaiveDate,
    /// Users active on that day.
    pub active_users: i32,
    /// Events on that day.
    pub events: i64,
}

impl From<&UsageRecord> for SampleUsage {
    fn from(record: &UsageRecord) -> Self {
        Self {
            company_id: record.company_id.to_string(),
            date: record.date,
            active_users: record.active_users,
            events: record.events,
        }
    }
}

/// Requests the first page of `day` from the product API once.
///
/// # Errors
/// If the request fails, or its answer is not a page.
pub async fn inspect(
    options: &Options,
    clock: Arc<dyn Clock>,
    day: NaiveDate,
) -> anyhow::Result<ApiInspection> {
    let options = Options { product_api_max_attempts: 1, ..options.clone() };
    let api = ProductApi::new(&options, clock)?;
    let session = api.session()?;
    let reading = session.reading();
    let page = session.page(PageRef { day, page: 1 }, &session.requests_for(day)).await?;
    let mut inspection = ApiInspection {
        day,
        page_size: options.page_size,
        records: page.records,
        rejected: 0,
        in_other_forms: 0,
        problem: None,
        sample: Vec::new(),
        reasons: Vec::new(),
        company_ids: BTreeSet::new(),
    };
    for (number, line) in page.lines().enumerate() {
        match parse_record(line, &reading.names, DateWindow::day(day)) {
            Ok(ReadRecord { usage, is_plain }) => {
                if inspection.sample.len() < SHOWN_RECORDS {
                    inspection.sample.push(SampleUsage::from(&usage));
                }
                inspection.in_other_forms += usize::from(!is_plain);
                inspection.company_ids.insert(usage.company_id.to_string());
            }
            Err(UnreadableRecord { reason, .. }) => {
                inspection.rejected += 1;
                if inspection.reasons.len() < SHOWN_RECORDS {
                    inspection.reasons.push(format!("record {}: {reason}", number + 1));
                }
            }
        }
    }
    inspection.problem = inspection.judge(&reading);
    Ok(inspection)
}

impl ApiInspection {
    fn judge(&self, reading: &Reading) -> Option<String> {
        let Self { day, records, rejected, in_other_forms, .. } = *self;
        if records == 0 {
            None
        } else if rejected == records {
            Some(format!(
                "none of the {records} records of {day} is usage: {}; if fields have other names, give them with \
                 --product-api-fields",
                self.reasons.join("; ")
            ))
        } else if rejected + in_other_forms == records && !reading.believes_other_forms {
            Some(format!(
                "each of the {records} records of {day} has its numbers or its date in another form than promised, \
                 such as 5.0, \"5\" or 2026-01-31T00:00:00Z; if that is right, say --product-api-other-forms"
            ))
        } else {
            None
        }
    }
}
