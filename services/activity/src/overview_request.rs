//! Validated requests for what is read at a glance.

use chrono::{DateTime, Days, NaiveDate, Utc};
use contract::FieldViolations;
use domain::{ChurnChange, DateWindow, text::settled};
use proto::activity::v1::{
    ChurnChange as ChurnChangeProto, CompanyOrder as CompanyOrderProto, GetChurnSummaryRequest,
    ListPublicationsRequest, ListPublishedDaysRequest, SearchCompaniesRequest,
};
use warehouse::{CompanyOrder, CompanyTraits};

use crate::{
    page_token::{PublicationPosition, SearchPosition, SearchedBefore, TokenScope},
    request_fields::{Checked, calendar_day, checked_page_size, optional},
};

/// The most days of which totals are listed at once.
const MOST_DAYS: u64 = 400;

/// How many days there are before the last one unless the first is named.
const DEFAULT_DAYS_BEFORE: u64 = 59;

/// The most words that a search takes: each is looked for in every company.
const MOST_WORDS: usize = 16;

/// A page of companies.
#[derive(Debug, Clone)]
pub(crate) struct SearchRequest {
    /// `None`: the newest published day.
    pub(crate) day: Option<NaiveDate>,
    pub(crate) words: Vec<String>,
    pub(crate) traits: CompanyTraits,
    pub(crate) only_churn_risks: bool,
    pub(crate) order: CompanyOrder,
    pub(crate) descending: bool,
    pub(crate) after: Option<SearchedBefore>,
    pub(crate) page_size: u32,
    pub(crate) tokens: TokenScope,
}

/// The day of a summary; `None`: the newest published one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SummaryRequest(pub(crate) Option<NaiveDate>);

/// Some published days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DaysRequest {
    start: Option<NaiveDate>,
    /// `None`: the newest published day.
    pub(crate) end: Option<NaiveDate>,
}

/// A page of a day's history.
#[derive(Debug, Clone)]
pub(crate) struct PublicationsRequest {
    pub(crate) day: NaiveDate,
    pub(crate) before: Option<DateTime<Utc>>,
    pub(crate) page_size: u32,
    pub(crate) tokens: TokenScope,
}

impl TryFrom<SearchCompaniesRequest> for SearchRequest {
    type Error = FieldViolations;

    fn try_from(request: SearchCompaniesRequest) -> Checked<Self> {
        let tokens = search_scope(&request);
        let SearchCompaniesRequest { activity_date, text, country, industry_tag, order, .. } = request;
        let mut violations = FieldViolations::default();
        let day = optional(&activity_date, |text| violations.keep("activity_date", calendar_day(text)));
        let words = violations.keep("text", checked_words(&text));
        let traits = checked_traits(country, industry_tag, &mut violations);
        let order = violations.keep("order", checked_order(order));
        let page_size = violations.keep("page_size", checked_page_size(request.page_size));
        let position = optional(&request.page_token, |token| {
            violations.keep("page_token", tokens.open::<SearchPosition>(token))
        });
        match (day, words, traits, order, page_size, position) {
            (Some(day), Some(words), Some(traits), Some(order), Some(page_size), Some(position)) => {
                let (day, after) = match position {
                    Some(SearchPosition { day, after }) => (Some(day), Some(after)),
                    None => (day, None),
                };
                let (only_churn_risks, descending) = (request.only_churn_risks, request.descending);
                Ok(Self { day, words, traits, only_churn_risks, order, descending, after, page_size, tokens })
            }
            _ => Err(violations),
        }
    }
}

fn search_scope(request: &SearchCompaniesRequest) -> TokenScope {
    let (order, flags) = (
        request.order.to_string(),
        format!("{} {}", u8::from(request.only_churn_risks), u8::from(request.descending)),
    );
    let mut fields = vec![request.activity_date.as_str(), &request.text, &order, &flags];
    fields.extend(trait_fields(request.country.as_deref(), request.industry_tag.as_deref()));
    TokenScope::new("SearchCompanies", &fields)
}

impl TryFrom<GetChurnSummaryRequest> for SummaryRequest {
    type Error = FieldViolations;

    fn try_from(request: GetChurnSummaryRequest) -> Checked<Self> {
        let mut violations = FieldViolations::default();
        let day =
            optional(&request.activity_date, |text| violations.keep("activity_date", calendar_day(text)));
        day.map(Self).ok_or(violations)
    }
}

impl TryFrom<ListPublishedDaysRequest> for DaysRequest {
    type Error = FieldViolations;

    fn try_from(request: ListPublishedDaysRequest) -> Checked<Self> {
        let mut violations = FieldViolations::default();
        let start = optional(&request.start_date, |text| violations.keep("start_date", calendar_day(text)));
        let end = optional(&request.end_date, |text| violations.keep("end_date", calendar_day(text)));
        match (start, end) {
            (Some(start), Some(end)) => {
                let days = Self { start, end };
                if let Some(end) = end {
                    days.resolve(end)?;
                }
                Ok(days)
            }
            _ => Err(violations),
        }
    }
}

impl DaysRequest {
    /// The days up to `last`.
    pub(crate) fn resolve(self, last: NaiveDate) -> Checked<DateWindow> {
        let start = match self.start {
            Some(start) => start,
            None => last.checked_sub_days(Days::new(DEFAULT_DAYS_BEFORE)).unwrap_or(last),
        };
        let window = DateWindow::new(start, last).map_err(|problem| match self.end {
            Some(_) => FieldViolations::of("end_date", problem.to_string()),
            None => {
                FieldViolations::of("start_date", format!("{last} is the newest published day: {problem}"))
            }
        })?;
        if window.len_days() > MOST_DAYS {
            let problem = format!("{window} are more than {MOST_DAYS} days: ask for fewer at a time");
            return Err(FieldViolations::of("start_date", problem));
        }
        Ok(window)
    }
}

impl TryFrom<ListPublicationsRequest> for PublicationsRequest {
    type Error = FieldViolations;

    fn try_from(request: ListPublicationsRequest) -> Checked<Self> {
        let tokens = TokenScope::new("ListPublications", &[&request.activity_date]);
        let mut violations = FieldViolations::default();
        let day = violations.keep("activity_date", calendar_day(&request.activity_date));
        let page_size = violations.keep("page_size", checked_page_size(request.page_size));
        let position = optional(&request.page_token, |token| {
            violations.keep("page_token", tokens.open::<PublicationPosition>(token))
        });
        match (day, page_size, position) {
            (Some(day), Some(page_size), Some(position)) => {
                let before = position.map(|PublicationPosition(before)| before);
                Ok(Self { day, before, page_size, tokens })
            }
            _ => Err(violations),
        }
    }
}

/// The country and industry of a request.
pub(crate) fn checked_traits(
    country: Option<String>,
    industry_tag: Option<String>,
    violations: &mut FieldViolations,
) -> Option<CompanyTraits> {
    let checked = |text: Option<String>| text.map_or(Ok(None), |text| readable(text).map(Some));
    let country = violations.keep("country", checked(country));
    let industry_tag = violations.keep("industry_tag", checked(industry_tag));
    Some(CompanyTraits { country: country?, industry_tag: industry_tag? })
}

/// What binds a page token to the country and industry of its request: nothing if there are none,
/// and no country looks like an industry.
pub(crate) fn trait_fields<'a>(
    country: Option<&'a str>,
    industry_tag: Option<&'a str>,
) -> impl Iterator<Item = &'a str> {
    let country = country.map(|country| ["country", country]);
    let industry = industry_tag.map(|industry| ["industry_tag", industry]);
    country.into_iter().chain(industry).flatten()
}

/// A change of churn risk, as a request names it; `Some(None)` for whatever change.
pub(crate) fn checked_change(change: i32) -> Result<Option<ChurnChange>, String> {
    match ChurnChangeProto::try_from(change) {
        Ok(ChurnChangeProto::Unspecified) => Ok(None),
        Ok(ChurnChangeProto::New) => Ok(Some(ChurnChange::New)),
        Ok(ChurnChangeProto::Still) => Ok(Some(ChurnChange::Still)),
        Ok(ChurnChangeProto::Recovered) => Ok(Some(ChurnChange::Recovered)),
        Err(_) => Err(format!("{change} is no change that this version knows")),
    }
}

fn checked_order(order: i32) -> Result<CompanyOrder, String> {
    match CompanyOrderProto::try_from(order) {
        Ok(CompanyOrderProto::Unspecified | CompanyOrderProto::CompanyId) => Ok(CompanyOrder::CompanyId),
        Ok(CompanyOrderProto::Name) => Ok(CompanyOrder::Name),
        Ok(CompanyOrderProto::Events) => Ok(CompanyOrder::Events),
        Ok(CompanyOrderProto::ActiveUsers7d) => Ok(CompanyOrder::ActiveUsers7d),
        Ok(CompanyOrderProto::DaysSinceLastContact) => Ok(CompanyOrder::DaysSinceLastContact),
        Err(_) => Err(format!("{order} is no order that this version knows")),
    }
}

fn checked_words(text: &str) -> Result<Vec<String>, String> {
    let text = readable(settled(text).into())?;
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    match words.len() {
        0..=MOST_WORDS => Ok(words),
        more => Err(format!("{more} words are more than {MOST_WORDS}: name fewer")),
    }
}

/// Databases do not take every character.
fn readable(text: String) -> Result<String, &'static str> {
    if text.contains('\0') { Err("holds a NUL character, which no company has") } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use domain::CompanyId;
    use warehouse::RowsVersion;

    use super::*;

    fn fields(violations: &FieldViolations) -> Vec<&'static str> {
        violations.iter().map(|(field, _)| field).collect()
    }

    fn day(text: &str) -> NaiveDate {
        domain::date_window::parse_day(text).unwrap()
    }

    #[test]
    fn everything_wrong_with_a_search_is_reported_at_once() {
        let request = SearchCompaniesRequest {
            activity_date: "today".to_owned(),
            text: "a\0".to_owned(),
            country: Some("\0".to_owned()),
            industry_tag: Some("\0".to_owned()),
            order: 99,
            page_size: -1,
            page_token: "nonsense".to_owned(),
            ..SearchCompaniesRequest::default()
        };
        let violations = SearchRequest::try_from(request).unwrap_err();
        assert_eq!(
            fields(&violations),
            ["activity_date", "text", "country", "industry_tag", "order", "page_size", "page_token"]
        );
        let words = |number: usize| SearchCompaniesRequest {
            text: " word\t".repeat(number),
            ..SearchCompaniesRequest::default()
        };
        assert_eq!(SearchRequest::try_from(words(MOST_WORDS)).unwrap().words.len(), MOST_WORDS);
        assert_eq!(fields(&SearchRequest::try_from(words(MOST_WORDS + 1)).unwrap_err()), ["text"]);
    }

    #[test]
    fn a_search_token_brings_back_its_day_and_belongs_to_every_field() {
        let first = SearchCompaniesRequest { text: "a".to_owned(), ..SearchCompaniesRequest::default() };
        let tokens = SearchRequest::try_from(first.clone()).unwrap().tokens;
        let after = SearchedBefore {
            company_id: CompanyId::parse("acme").unwrap(),
            rows: RowsVersion { days: 1, checksums: 7 },
            total: 12,
        };
        let position = SearchPosition { day: day("2026-02-01"), after };
        let next = SearchCompaniesRequest { page_token: tokens.seal(&position), page_size: 7, ..first };
        let continued = SearchRequest::try_from(next.clone()).unwrap();
        assert_eq!((continued.day, continued.after), (Some(position.day), Some(position.after)));
        for other in [
            SearchCompaniesRequest { activity_date: "2026-02-01".to_owned(), ..next.clone() },
            SearchCompaniesRequest { text: "b".to_owned(), ..next.clone() },
            SearchCompaniesRequest { country: Some(String::new()), ..next.clone() },
            SearchCompaniesRequest { industry_tag: Some(String::new()), ..next.clone() },
            SearchCompaniesRequest { only_churn_risks: true, ..next.clone() },
            SearchCompaniesRequest { order: 2, ..next.clone() },
            SearchCompaniesRequest { descending: true, ..next },
        ] {
            assert_eq!(fields(&SearchRequest::try_from(other).unwrap_err()), ["page_token"]);
        }
    }

    #[test]
    fn days_are_the_last_sixty_unless_they_are_named() {
        let asked = |start: &str, end: &str| {
            let request = ListPublishedDaysRequest { start_date: start.to_owned(), end_date: end.to_owned() };
            DaysRequest::try_from(request)
        };
        let newest = day("2026-03-01");
        for (start, end, expected) in [
            ("", "", "2026-01-01..2026-03-01"),
            ("2026-02-01", "", "2026-02-01..2026-03-01"),
            ("", "2026-02-01", "2025-12-04..2026-02-01"),
            ("2026-01-01", "2027-02-04", "2026-01-01..2027-02-04"),
        ] {
            let days = asked(start, end).unwrap();
            assert_eq!(days.resolve(days.end.unwrap_or(newest)).unwrap().to_string(), expected);
        }
        assert_eq!(fields(&asked("2026-01-01", "2027-02-05").unwrap_err()), ["start_date"]);
        assert_eq!(fields(&asked("2026-01-02", "2026-01-01").unwrap_err()), ["end_date"]);
        assert_eq!(fields(&asked("x", "y").unwrap_err()), ["start_date", "end_date"]);
        let late = asked("2026-03-02", "").unwrap().resolve(newest).unwrap_err();
        assert!(late.to_string().contains("2026-03-01 is the newest published day"), "{late}");
    }

    #[test]
    fn a_history_needs_a_day() {
        let violations = PublicationsRequest::try_from(ListPublicationsRequest::default()).unwrap_err();
        assert_eq!(fields(&violations), ["activity_date"]);
    }
}
