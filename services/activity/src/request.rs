//! Validated requests.

use chrono::NaiveDate;
use contract::FieldViolations;
use domain::{ChurnChange, CompanyId, DateWindow, FactKey, date_window::InvalidWindow};
use proto::activity::v1::{
    ExportCompanyActivityRequest, GetCompanyActivityRequest, ListChurnRisksRequest,
    ListCompanyActivityRequest, RollUpCompanyActivityRequest, RollUpPeriod,
};
use uuid::Uuid;
use warehouse::{ChurnCursor, CompanyTraits, Period, RowsVersion};

use crate::{
    overview_request::{checked_change, checked_traits, trait_fields},
    page_token::{ChurnPosition, RowPosition, TokenScope},
    request_fields::{Checked, calendar_day, checked_page_size, optional},
};

/// The days of a request; an open end is the newest published day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedDays {
    /// These days.
    Exactly(DateWindow),
    /// From this day through the newest.
    From(NaiveDate),
    /// From the newest day through this one: at most that one day.
    Through(NaiveDate),
    /// The newest day.
    Newest,
}

impl AskedDays {
    /// The days, given the newest published one.
    pub(crate) fn resolve(self, newest: NaiveDate) -> Checked<DateWindow> {
        match self {
            Self::Exactly(window) => Ok(window),
            Self::From(start) => DateWindow::new(start, newest).map_err(|problem| {
                FieldViolations::of("start_date", format!("{newest} is the newest published day: {problem}"))
            }),
            Self::Through(end) => DateWindow::new(newest, end).map_err(|problem| {
                FieldViolations::of("end_date", format!("{newest} is the newest published day: {problem}"))
            }),
            Self::Newest => Ok(DateWindow::day(newest)),
        }
    }

    fn parse(start_date: &str, end_date: &str, violations: &mut FieldViolations) -> Option<Self> {
        let start = optional(start_date, |text| violations.keep("start_date", calendar_day(text)));
        let end = optional(end_date, |text| violations.keep("end_date", calendar_day(text)));
        Some(match (start?, end?) {
            (Some(start), Some(end)) => Self::Exactly(window(start, end, violations)?),
            (Some(start), None) => Self::From(start),
            (None, Some(end)) => Self::Through(end),
            (None, None) => Self::Newest,
        })
    }
}

/// One company on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowRequest {
    pub(crate) company_id: CompanyId,
    /// `None`: the newest published day.
    pub(crate) day: Option<NaiveDate>,
}

/// A page of rows.
#[derive(Debug, Clone)]
pub(crate) struct RowsRequest {
    pub(crate) company_id: Option<CompanyId>,
    pub(crate) days: AskedDays,
    pub(crate) after: Option<FactKey>,
    /// The rows that the earlier pages are read from, if they are known.
    pub(crate) rows: Option<RowsVersion>,
    /// As this run's publish left them.
    pub(crate) as_of: Option<Uuid>,
    pub(crate) page_size: u32,
    pub(crate) tokens: TokenScope,
}

/// All rows of some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportRequest {
    pub(crate) company_id: Option<CompanyId>,
    pub(crate) days: AskedDays,
    /// As of [`RowsRequest`].
    pub(crate) as_of: Option<Uuid>,
}

/// A company's weeks or months.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RollUpRequest {
    pub(crate) company_id: CompanyId,
    pub(crate) window: DateWindow,
    pub(crate) period: Period,
}

/// A page of churn risks.
#[derive(Debug, Clone)]
pub(crate) struct ChurnRequest {
    /// `None`: the newest published day.
    pub(crate) day: Option<NaiveDate>,
    pub(crate) change: Option<ChurnChange>,
    pub(crate) traits: CompanyTraits,
    pub(crate) after: Option<ChurnCursor>,
    /// As of [`RowsRequest`].
    pub(crate) rows: Option<RowsVersion>,
    pub(crate) page_size: u32,
    pub(crate) tokens: TokenScope,
}

impl TryFrom<GetCompanyActivityRequest> for RowRequest {
    type Error = FieldViolations;

    fn try_from(request: GetCompanyActivityRequest) -> Checked<Self> {
        let mut violations = FieldViolations::default();
        let company_id = violations.keep("company_id", CompanyId::parse(&request.company_id));
        let day =
            optional(&request.activity_date, |text| violations.keep("activity_date", calendar_day(text)));
        match (company_id, day) {
            (Some(company_id), Some(day)) => Ok(Self { company_id, day }),
            _ => Err(violations),
        }
    }
}

impl TryFrom<ListCompanyActivityRequest> for RowsRequest {
    type Error = FieldViolations;

    fn try_from(request: ListCompanyActivityRequest) -> Checked<Self> {
        let ListCompanyActivityRequest {
            company_id,
            start_date,
            end_date,
            page_size,
            page_token,
            as_of_run_id,
        } = request;
        let mut fields = vec![company_id.as_str(), &start_date, &end_date];
        // Without a run, tokens are those of the version before.
        fields.extend(Some(as_of_run_id.as_str()).filter(|run_id| !run_id.is_empty()));
        let tokens = TokenScope::new("ListCompanyActivity", &fields);
        let mut violations = FieldViolations::default();
        let company_id = optional_company(&company_id, &mut violations);
        let days = AskedDays::parse(&start_date, &end_date, &mut violations);
        let as_of = optional_run(&as_of_run_id, &mut violations);
        let page_size = violations.keep("page_size", checked_page_size(page_size));
        let position =
            optional(&page_token, |token| violations.keep("page_token", tokens.open::<RowPosition>(token)));
        match (company_id, days, as_of, page_size, position) {
            (Some(company_id), Some(days), Some(as_of), Some(page_size), Some(position)) => {
                let (days, after, rows) = match position {
                    Some(RowPosition { window, after, rows }) => {
                        (AskedDays::Exactly(window), Some(after), rows)
                    }
                    None => (days, None, None),
                };
                Ok(Self { company_id, days, after, rows, as_of, page_size, tokens })
            }
            _ => Err(violations),
        }
    }
}

impl TryFrom<ExportCompanyActivityRequest> for ExportRequest {
    type Error = FieldViolations;

    fn try_from(request: ExportCompanyActivityRequest) -> Checked<Self> {
        let mut violations = FieldViolations::default();
        let company_id = optional_company(&request.company_id, &mut violations);
        let days = AskedDays::parse(&request.start_date, &request.end_date, &mut violations);
        let as_of = optional_run(&request.as_of_run_id, &mut violations);
        match (company_id, days, as_of) {
            (Some(company_id), Some(days), Some(as_of)) => Ok(Self { company_id, days, as_of }),
            _ => Err(violations),
        }
    }
}

impl TryFrom<RollUpCompanyActivityRequest> for RollUpRequest {
    type Error = FieldViolations;

    fn try_from(request: RollUpCompanyActivityRequest) -> Checked<Self> {
        let mut violations = FieldViolations::default();
        let company_id = violations.keep("company_id", CompanyId::parse(&request.company_id));
        let start = violations.keep("start_date", calendar_day(&request.start_date));
        let end = violations.keep("end_date", calendar_day(&request.end_date));
        let window = start.zip(end).and_then(|(start, end)| window(start, end, &mut violations));
        let period = violations.keep("period", checked_period(request.period()));
        match (company_id, window, period) {
            (Some(company_id), Some(window), Some(period)) => Ok(Self { company_id, window, period }),
            _ => Err(violations),
        }
    }
}

impl TryFrom<ListChurnRisksRequest> for ChurnRequest {
    type Error = FieldViolations;

    fn try_from(request: ListChurnRisksRequest) -> Checked<Self> {
        let ListChurnRisksRequest { activity_date, page_size, page_token, change, country, industry_tag } =
            request;
        let change_field = change.to_string();
        let mut fields = vec![activity_date.as_str()];
        // Without a condition, tokens are those of the version before.
        fields.extend(Some(change_field.as_str()).filter(|_| change != 0));
        fields.extend(trait_fields(country.as_deref(), industry_tag.as_deref()));
        let tokens = TokenScope::new("ListChurnRisks", &fields);
        let mut violations = FieldViolations::default();
        let change = violations.keep("change", checked_change(change));
        let traits = checked_traits(country, industry_tag, &mut violations);
        let day = optional(&activity_date, |text| violations.keep("activity_date", calendar_day(text)));
        let page_size = violations.keep("page_size", checked_page_size(page_size));
        let position =
            optional(&page_token, |token| violations.keep("page_token", tokens.open::<ChurnPosition>(token)));
        match (day, change, traits, page_size, position) {
            (Some(day), Some(change), Some(traits), Some(page_size), Some(position)) => {
                let (day, after, rows) = match position {
                    Some(ChurnPosition { day, after, rows }) => (Some(day), Some(after), rows),
                    None => (day, None, None),
                };
                Ok(Self { day, change, traits, after, rows, page_size, tokens })
            }
            _ => Err(violations),
        }
    }
}

#[expect(clippy::option_option, reason = "as `optional`")]
fn optional_company(text: &str, violations: &mut FieldViolations) -> Option<Option<CompanyId>> {
    optional(text, |text| violations.keep("company_id", CompanyId::parse(text)))
}

#[expect(clippy::option_option, reason = "as `optional`")]
fn optional_run(text: &str, violations: &mut FieldViolations) -> Option<Option<Uuid>> {
    let parse = |text: &str| {
        Uuid::parse_str(text).map_err(|_| format!("{text:?} is not the id of a run, such as answers name"))
    };
    optional(text, |text| violations.keep("as_of_run_id", parse(text)))
}

fn window(start: NaiveDate, end: NaiveDate, violations: &mut FieldViolations) -> Option<DateWindow> {
    violations.keep::<DateWindow, InvalidWindow>("end_date", DateWindow::new(start, end))
}

fn checked_period(period: RollUpPeriod) -> Result<Period, &'static str> {
    match period {
        RollUpPeriod::Week => Ok(Period::Week),
        RollUpPeriod::Month => Ok(Period::Month),
        RollUpPeriod::Unspecified => Err("has to be ROLL_UP_PERIOD_WEEK or ROLL_UP_PERIOD_MONTH"),
    }
}

#[cfg(test)]
mod tests;
