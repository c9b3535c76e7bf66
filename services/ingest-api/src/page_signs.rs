//! What an answer says about the list its page belongs to: its length, and
//! whether more pages follow.
//!
//! The contract has no such fields; answers that have them are believed. They
//! are looked up under the names that paged APIs commonly use, unless the
//! configuration names them.

use reqwest::header::{HeaderMap, LINK};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    field_names::{FieldNames, SignName},
    json_object::{Object, Repeated},
};

/// Objects that commonly contain such fields, besides the answer itself.
const CONTAINERS: [&str; 7] = ["meta", "pagination", "paging", "page_info", "pageInfo", "links", "_links"];

/// The number of records over all pages.
const TOTALS: [&str; 8] = [
    "total",
    "total_count",
    "totalCount",
    "total_records",
    "totalRecords",
    "total_results",
    "totalResults",
    "totalElements",
];

/// Either that number or the number on this page.
const COUNT: &str = "count";

/// The number of pages.
const TOTAL_PAGES: [&str; 2] = ["total_pages", "totalPages"];

/// Whether more pages follow, or which one is next.
const MORE: [&str; 12] = [
    "has_more",
    "hasMore",
    "has_next",
    "hasNext",
    "has_next_page",
    "hasNextPage",
    "next",
    "next_page",
    "nextPage",
    "next_page_url",
    "next_url",
    "next_cursor",
];

/// Whether this page is the last.
const LAST: [&str; 3] = ["is_last", "isLast", "last"];

/// What an answer says about its list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PageSigns {
    /// The number of records over all pages.
    pub(crate) total: Option<u64>,
    /// The number of pages.
    pub(crate) total_pages: Option<u64>,
    /// Whether more pages follow.
    pub(crate) more: Option<bool>,
}

impl PageSigns {
    /// Reads the signs in an answer's body, whose page has `records` records.
    ///
    /// # Errors
    /// If a field occurs twice.
    pub(crate) fn of_body(answer: &Object<'_>, records: usize, names: &FieldNames) -> Result<Self, Repeated> {
        let places = places(answer)?;
        let mut signs = Self {
            total: find(answer, &places, &names.total, &TOTALS, number)?,
            total_pages: find(answer, &places, &names.total_pages, &TOTAL_PAGES, number)?,
            more: find(answer, &places, &names.more, &MORE, leads_on)?,
        };
        if names.total == SignName::Usual && signs.total.is_none() {
            let count = find(answer, &places, &SignName::Usual, &[COUNT], number)?;
            // A count equal to this page's records may be just the page's own.
            signs.total = count.filter(|count| *count != records as u64);
        }
        if names.more == SignName::Usual && signs.more.is_none() {
            let last = find(answer, &places, &SignName::Usual, &LAST, flag)?;
            signs.more = last.map(|is_last| !is_last);
        }
        Ok(signs)
    }

    /// Adds the answer's `Link` header (RFC 8288).
    pub(crate) fn with_link(mut self, headers: &HeaderMap, names: &FieldNames) -> Self {
        if names.more != SignName::Usual || self.more == Some(true) {
            return self;
        }
        let mut relations = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).peekable();
        if relations.peek().is_some() {
            let leads_on = relations.any(|links| links.split(',').any(is_next));
            // A header without `next` may be about something else.
            self.more = if leads_on { Some(true) } else { self.more };
        }
        self
    }

    /// Whether pages follow this page number, as far as the answer says.
    pub(crate) fn says_more_after(&self, page: u32) -> Option<bool> {
        let by_pages = self.total_pages.map(|pages| u64::from(page) < pages);
        match (self.more, by_pages) {
            (Some(more), Some(by_pages)) => Some(more || by_pages),
            (more, by_pages) => more.or(by_pages),
        }
    }
}

fn is_next(link: &str) -> bool {
    let parameters = link.split(';').skip(1);
    parameters.filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        let relations = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel")
            && relations.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

/// The containers present in the answer.
fn places<'a>(answer: &Object<'a>) -> Result<Vec<Object<'a>>, Repeated> {
    let mut places = Vec::new();
    for name in CONTAINERS {
        places.extend(answer.member(name)?.and_then(Object::of));
    }
    Ok(places)
}

/// The first readable value under one of the names.
fn find<T>(
    answer: &Object<'_>,
    places: &[Object<'_>],
    name: &SignName,
    usual: &[&str],
    read: impl Fn(&RawValue) -> Option<T>,
) -> Result<Option<T>, Repeated> {
    match name {
        SignName::Ignored => Ok(None),
        SignName::At(path) => Ok(answer.at(path)?.and_then(read)),
        SignName::Usual => {
            for place in std::iter::once(answer).chain(places) {
                for name in usual {
                    if let Some(value) = place.member(name)?.and_then(&read) {
                        return Ok(Some(value));
                    }
                }
            }
            Ok(None)
        }
    }
}

fn number(value: &RawValue) -> Option<u64> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }
    match serde_json::from_str(value.get()).ok()? {
        Written::Number(number) => Some(number),
        Written::Text(text) => text.parse().ok(),
    }
}

fn flag(value: &RawValue) -> Option<bool> {
    serde_json::from_str(value.get()).ok()
}

/// Whether a value such as `true`, `2`, `"https://..."` or `{"href": ...}`
/// leads to another page; `null`, `""`, `0` and `{}` do not.
fn leads_on(value: &RawValue) -> Option<bool> {
    match serde_json::from_str(value.get()).ok()? {
        Value::Null => Some(false),
        Value::Bool(more) => Some(more),
        Value::Number(page) => Some(page.as_u64() != Some(0)),
        Value::String(link) => Some(!link.is_empty() && link != "false"),
        Value::Object(link) => Some(!link.is_empty()),
        Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field_names::FieldName;

    fn signs(body: &str, configured: &[&str]) -> PageSigns {
        let names: Vec<FieldName> = configured.iter().map(|name| name.parse().unwrap()).collect();
        let answer: Object<'_> = serde_json::from_str(body).unwrap();
        PageSigns::of_body(&answer, 100, &FieldNames::new(&names)).unwrap()
    }

    #[test]
    fn what_an_answer_says_is_found_where_paged_apis_say_it() {
        let total = |total| PageSigns { total: Some(total), ..PageSigns::default() };
        let more = |more| PageSigns { more: Some(more), ..PageSigns::default() };
        let pages = |pages| PageSigns { total_pages: Some(pages), ..PageSigns::default() };
        for (body, expected) in [
            (r#"{"total":249}"#, total(249)),
            (r#"{"meta":{"total_count":"249"}}"#, total(249)),
            (r#"{"pagination":{"totalElements":249}}"#, total(249)),
            (r#"{"count":249}"#, total(249)),
            (r#"{"count":100}"#, PageSigns::default()),
            (r#"{"total":100,"count":7}"#, total(100)),
            (r#"{"total_pages":3}"#, pages(3)),
            (r#"{"has_more":true}"#, more(true)),
            (r#"{"paging":{"hasMore":false}}"#, more(false)),
            (r#"{"next":null}"#, more(false)),
            (r#"{"next":""}"#, more(false)),
            (r#"{"next":"https://api.example.com/?page=2"}"#, more(true)),
            (r#"{"next_page":2}"#, more(true)),
            (r#"{"next_page":0}"#, more(false)),
            (r#"{"_links":{"self":{},"next":{"href":"/?page=2"}}}"#, more(true)),
            (r#"{"_links":{"self":{"href":"/?page=2"}}}"#, PageSigns::default()),
            (r#"{"last":true}"#, more(false)),
            (r#"{"links":{"last":"/?page=9"}}"#, PageSigns::default()),
            (r#"{"total":"many","next":[1]}"#, PageSigns::default()),
        ] {
            assert_eq!(signs(body, &[]), expected, "{body}");
        }
    }

    #[test]
    fn a_configured_name_counts_alone_and_an_empty_one_is_not_believed() {
        let body = r#"{"total":5,"has_more":true,"stats":{"size":7,"on":false}}"#;
        let found = signs(body, &["total=stats.size", "more=stats.on"]);
        assert_eq!(found, PageSigns { total: Some(7), total_pages: None, more: Some(false) });
        assert_eq!(signs(body, &["total=", "more="]), PageSigns::default());
        assert_eq!(signs(body, &["total=size"]).total, None);
    }

    #[test]
    fn a_link_header_leads_on_if_it_names_a_next_page() {
        for (links, expected) in [
            (&[r#"<https://api.example.com/?page=2>; rel="next", <https://x/>; rel="last""#][..], Some(true)),
            (&["</?page=1>; rel=prev", "</?page=3>; title=x; REL=Next"], Some(true)),
            (&[r#"</a>; rel="prev next""#], Some(true)),
            (&[r#"</help>; rel="next-steps""#], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for link in links {
                headers.append(LINK, link.parse().unwrap());
            }
            let found = PageSigns::default().with_link(&headers, &FieldNames::default());
            assert_eq!(found.more, expected, "{links:?}");
            let ignored = FieldNames::new(&["more=".parse().unwrap()]);
            assert_eq!(PageSigns::default().with_link(&headers, &ignored).more, None);
        }
    }

    #[test]
    fn more_pages_are_said_by_a_field_or_by_the_number_of_pages() {
        let said = |more, total_pages| PageSigns { more, total_pages, total: None }.says_more_after(2);
        assert_eq!(said(None, None), None);
        assert_eq!(said(None, Some(3)), Some(true));
        assert_eq!(said(None, Some(2)), Some(false));
        assert_eq!(said(Some(true), Some(2)), Some(true));
        assert_eq!(said(Some(false), Some(3)), Some(true));
        assert_eq!(said(Some(false), None), Some(false));
    }
}
