//! Opaque page tokens: where a page starts, bound to the request it continues.
//!
//! A token is the base64url text of a digest and a position. The digest covers
//! the call, the fields that choose the rows, and the position, so that a token
//! that was cut, altered or used with another request is rejected instead of
//! answering the wrong question. It grants no access, so it needs no key.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use domain::{CompanyId, DateWindow, FactKey};
use prost::Message;
use sha2::{Digest, Sha256};
use warehouse::{ChurnCursor, RowsVersion};

/// Raised when the meaning of positions changes, so that older tokens are rejected.
const VERSION: u8 = 1;

/// Enough of SHA-256 to detect any accidental change.
const DIGEST_BYTES: usize = 16;

/// A token that does not continue this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "does not continue this request: pass next_page_token of the page before, with all other fields as they were"
)]
pub(crate) struct InvalidPageToken;

/// Seals and opens the tokens of one request.
#[derive(Debug, Clone)]
pub(crate) struct TokenScope(Sha256);

impl TokenScope {
    /// The scope of `call` with these values of the fields that choose its rows.
    pub(crate) fn new(call: &str, fields: &[&str]) -> Self {
        let mut digest = Sha256::new_with_prefix([VERSION]);
        for part in std::iter::once(&call).chain(fields) {
            // The length prefix keeps adjacent values apart.
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        Self(digest)
    }

    /// The token for a page that starts at `position`.
    pub(crate) fn seal<P: Position>(&self, position: &P) -> String {
        let position = position.to_bytes();
        let mut token = self.digest(&position);
        token.extend(position);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The position that a token holds.
    pub(crate) fn open<P: Position>(&self, token: &str) -> Result<P, InvalidPageToken> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidPageToken)?;
        let (digest, position) = bytes.split_at_checked(DIGEST_BYTES).ok_or(InvalidPageToken)?;
        if self.digest(position) != digest {
            return Err(InvalidPageToken);
        }
        P::from_bytes(position).ok_or(InvalidPageToken)
    }

    fn digest(&self, position: &[u8]) -> Vec<u8> {
        self.0.clone().chain_update(position).finalize().into_iter().take(DIGEST_BYTES).collect()
    }
}

/// Where a page starts.
pub(crate) trait Position: Sized {
    /// Encodes the position.
    fn to_bytes(&self) -> Vec<u8>;
    /// Decodes a position; `None` if the bytes are not one.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// Where a page of rows starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowPosition {
    /// The days the first page covers.
    pub(crate) window: DateWindow,
    /// The last row of the previous page.
    pub(crate) after: FactKey,
    /// The rows that the first page is read from. Tokens of the version before have none.
    pub(crate) rows: Option<RowsVersion>,
}

/// Where a page of churn risks starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChurnPosition {
    /// The day the first page covers.
    pub(crate) day: NaiveDate,
    /// The last risk of the previous page.
    pub(crate) after: ChurnCursor,
    /// As of [`RowPosition`].
    pub(crate) rows: Option<RowsVersion>,
}

/// Where a page of a search starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SearchPosition {
    /// The day the first page covers.
    pub(crate) day: NaiveDate,
    /// What the earlier pages have said.
    pub(crate) after: SearchedBefore,
}

/// What the earlier pages of a search have said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SearchedBefore {
    /// The last company.
    pub(crate) company_id: CompanyId,
    /// As of [`RowPosition`].
    pub(crate) rows: RowsVersion,
    /// How many companies there are on all pages.
    pub(crate) total: i64,
}

/// A page of a day's history starts before this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PublicationPosition(pub(crate) DateTime<Utc>);

#[derive(Clone, PartialEq, Message)]
struct EncodedSearchPosition {
    #[prost(sint32, tag = "1")]
    day: i32,
    #[prost(string, tag = "2")]
    company_id: String,
    #[prost(message, optional, tag = "3")]
    rows: Option<EncodedRowsVersion>,
    #[prost(int64, tag = "4")]
    total: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct EncodedPublicationPosition {
    #[prost(sint64, tag = "1")]
    seconds: i64,
    #[prost(uint32, tag = "2")]
    nanoseconds: u32,
}

#[derive(Clone, PartialEq, Message)]
struct EncodedRowPosition {
    #[prost(sint32, tag = "1")]
    window_start: i32,
    #[prost(sint32, tag = "2")]
    window_end: i32,
    #[prost(string, tag = "3")]
    company_id: String,
    #[prost(sint32, tag = "4")]
    activity_date: i32,
    #[prost(message, optional, tag = "5")]
    rows: Option<EncodedRowsVersion>,
}

#[derive(Clone, PartialEq, Message)]
struct EncodedChurnPosition {
    #[prost(sint32, tag = "1")]
    day: i32,
    #[prost(sint32, optional, tag = "2")]
    last_event_date: Option<i32>,
    #[prost(string, tag = "3")]
    company_id: String,
    #[prost(message, optional, tag = "4")]
    rows: Option<EncodedRowsVersion>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct EncodedRowsVersion {
    #[prost(int64, tag = "1")]
    days: i64,
    #[prost(int64, tag = "2")]
    checksums: i64,
}

impl From<RowsVersion> for EncodedRowsVersion {
    fn from(RowsVersion { days, checksums }: RowsVersion) -> Self {
        Self { days, checksums }
    }
}

impl From<EncodedRowsVersion> for RowsVersion {
    fn from(EncodedRowsVersion { days, checksums }: EncodedRowsVersion) -> Self {
        Self { days, checksums }
    }
}

impl Position for RowPosition {
    fn to_bytes(&self) -> Vec<u8> {
        let Self { window, after, rows } = self;
        EncodedRowPosition {
            window_start: window.start().num_days_from_ce(),
            window_end: window.end().num_days_from_ce(),
            company_id: after.company_id.to_string(),
            activity_date: after.activity_date.num_days_from_ce(),
            rows: rows.map(Into::into),
        }
        .encode_to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let encoded = EncodedRowPosition::decode(bytes).ok()?;
        Some(Self {
            window: DateWindow::new(day(encoded.window_start)?, day(encoded.window_end)?).ok()?,
            after: FactKey {
                company_id: CompanyId::from_stored(encoded.company_id).ok()?,
                activity_date: day(encoded.activity_date)?,
            },
            rows: encoded.rows.map(Into::into),
        })
    }
}

impl Position for ChurnPosition {
    fn to_bytes(&self) -> Vec<u8> {
        EncodedChurnPosition {
            day: self.day.num_days_from_ce(),
            last_event_date: self.after.last_event_date.map(|day| day.num_days_from_ce()),
            company_id: self.after.company_id.to_string(),
            rows: self.rows.map(Into::into),
        }
        .encode_to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let encoded = EncodedChurnPosition::decode(bytes).ok()?;
        let last_event_date = match encoded.last_event_date {
            Some(days) => Some(day(days)?),
            None => None,
        };
        let company_id = CompanyId::from_stored(encoded.company_id).ok()?;
        let after = ChurnCursor { last_event_date, company_id };
        Some(Self { day: day(encoded.day)?, after, rows: encoded.rows.map(Into::into) })
    }
}

impl Position for SearchPosition {
    fn to_bytes(&self) -> Vec<u8> {
        let Self { day, after: SearchedBefore { company_id, rows, total } } = self;
        EncodedSearchPosition {
            day: day.num_days_from_ce(),
            company_id: company_id.to_string(),
            rows: Some((*rows).into()),
            total: *total,
        }
        .encode_to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let encoded = EncodedSearchPosition::decode(bytes).ok()?;
        let company_id = CompanyId::from_stored(encoded.company_id).ok()?;
        let after = SearchedBefore { company_id, rows: encoded.rows?.into(), total: encoded.total };
        Some(Self { day: day(encoded.day)?, after })
    }
}

impl Position for PublicationPosition {
    fn to_bytes(&self) -> Vec<u8> {
        let (seconds, nanoseconds) = (self.0.timestamp(), self.0.timestamp_subsec_nanos());
        EncodedPublicationPosition { seconds, nanoseconds }.encode_to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let encoded = EncodedPublicationPosition::decode(bytes).ok()?;
        DateTime::from_timestamp(encoded.seconds, encoded.nanoseconds).map(Self)
    }
}

fn day(days_from_ce: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days_from_ce)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_day() -> impl Strategy<Value = NaiveDate> {
        (700_000..800_000).prop_filter_map("a day", day)
    }

    fn any_company() -> impl Strategy<Value = CompanyId> {
        "\\PC{1,40}".prop_filter_map("a company_id", |text| CompanyId::parse(&text).ok())
    }

    prop_compose! {
        fn any_version()(days in any::<i64>(), checksums in any::<i64>()) -> RowsVersion {
            RowsVersion { days, checksums }
        }
    }

    prop_compose! {
        fn any_row_position()(
            start in any_day(), length in 0_u64..5_000, company_id in any_company(), activity_date in any_day(),
            rows in proptest::option::of(any_version()),
        ) -> RowPosition {
            let end = start.checked_add_days(chrono::Days::new(length)).unwrap();
            let window = DateWindow::new(start, end).unwrap();
            RowPosition { window, after: FactKey { company_id, activity_date }, rows }
        }
    }

    prop_compose! {
        fn any_churn_position()(
            day in any_day(), last_event_date in proptest::option::of(any_day()), company_id in any_company(),
            rows in proptest::option::of(any_version()),
        ) -> ChurnPosition {
            ChurnPosition { day, after: ChurnCursor { last_event_date, company_id }, rows }
        }
    }

    prop_compose! {
        fn any_search_position()(
            day in any_day(), company_id in any_company(), rows in any_version(), total in any::<i64>(),
        ) -> SearchPosition {
            SearchPosition { day, after: SearchedBefore { company_id, rows, total } }
        }
    }

    proptest! {
        #[test]
        fn a_token_of_a_search_or_history_leads_back_to_its_position(
            search in any_search_position(), seconds in -1_i64..4_102_444_800, nanoseconds in 0..1_000_000_000_u32,
        ) {
            let scope = TokenScope::new("Search", &["acme"]);
            prop_assert_eq!(scope.open::<SearchPosition>(&scope.seal(&search)), Ok(search));
            let entry = PublicationPosition(DateTime::from_timestamp(seconds, nanoseconds).unwrap());
            prop_assert_eq!(scope.open::<PublicationPosition>(&scope.seal(&entry)), Ok(entry));
        }

        #[test]
        fn a_token_leads_back_to_its_position(rows in any_row_position(), churn in any_churn_position()) {
            let scope = TokenScope::new("List", &["acme", "", "2026-02-01"]);
            prop_assert_eq!(scope.open::<RowPosition>(&scope.seal(&rows)), Ok(rows));
            prop_assert_eq!(scope.open::<ChurnPosition>(&scope.seal(&churn)), Ok(churn));
        }

        #[test]
        fn a_token_is_safe_in_a_url(position in any_row_position()) {
            let token = TokenScope::new("List", &[]).seal(&position);
            prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        }

        #[test]
        fn an_altered_token_is_refused(position in any_row_position(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let scope = TokenScope::new("List", &["acme"]);
            let mut bytes = URL_SAFE_NO_PAD.decode(scope.seal(&position)).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let altered = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(scope.open::<RowPosition>(&altered), Err(InvalidPageToken));
        }

        #[test]
        fn a_shortened_token_is_refused(position in any_row_position(), at in any::<prop::sample::Index>()) {
            let scope = TokenScope::new("List", &["acme"]);
            let token = scope.seal(&position);
            let cut = token.get(..at.index(token.len())).unwrap();
            prop_assert_eq!(scope.open::<RowPosition>(cut), Err(InvalidPageToken));
        }

        #[test]
        fn garbage_is_refused(token in "\\PC{0,80}") {
            let scope = TokenScope::new("List", &["acme"]);
            prop_assert_eq!(scope.open::<RowPosition>(&token), Err(InvalidPageToken));
        }
    }

    #[test]
    fn a_token_belongs_to_its_question() {
        let position = RowPosition {
            window: DateWindow::parse("2026-02-01", "2026-02-28").unwrap(),
            after: FactKey {
                company_id: CompanyId::parse("acme").unwrap(),
                activity_date: day(739_000).unwrap(),
            },
            rows: None,
        };
        let token = TokenScope::new("List", &["ab", "c"]).seal(&position);
        for (call, fields) in
            [("List", ["a", "bc"]), ("List", ["ab", ""]), ("List", ["ab", "d"]), ("Risks", ["ab", "c"])]
        {
            let other = TokenScope::new(call, &fields);
            assert_eq!(other.open::<RowPosition>(&token), Err(InvalidPageToken), "{call} {fields:?}");
        }
    }
}
