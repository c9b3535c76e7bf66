//! One page of the product API, turned into landable lines.

use std::{fmt, sync::Arc};

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What would end a line within a record.
const LINE_BREAKS: [char; 2] = ['\n', '\r'];

/// Which page of which day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRef {
    /// The day asked for.
    pub day: NaiveDate,
    /// The page, from 1.
    pub page: u32,
}

impl fmt::Display for PageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} page {}", self.day, self.page)
    }
}

/// A page's records as the source wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many records the page holds, valid or not.
    pub(crate) records: usize,
    /// The records verbatim, one a line, each line ended by a newline.
    pub(crate) ndjson: Arc<str>,
    /// The size of the answer's body.
    pub(crate) body_bytes: u64,
}

/// The answer's envelope. Fields it does not name are ignored, but `data` must
/// be there: its absence is no empty page.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

impl Page {
    /// Takes an answer's body apart.
    ///
    /// # Errors
    /// If it is no JSON object with a list `data`.
    pub(crate) fn parse(body: &[u8]) -> serde_json::Result<Self> {
        let Envelope { data } = serde_json::from_slice(body)?;
        let mut ndjson = String::with_capacity(body.len());
        for record in &data {
            // JSON strings cannot hold raw line breaks, so that these are mere
            // white space between tokens.
            for part in record.get().split_inclusive(LINE_BREAKS) {
                match part.strip_suffix(LINE_BREAKS) {
                    Some(part) => ndjson.extend([part, " "]),
                    None => ndjson.push_str(part),
                }
            }
            ndjson.push('\n');
        }
        Ok(Self { records: data.len(), ndjson: ndjson.into(), body_bytes: body.len() as u64 })
    }

    /// The records one by one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.ndjson.lines()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stay_verbatim_except_for_line_breaks_between_tokens() {
        let body = br#"{"next":null,"data":[
            {"company_id" : "caf\u00e9\n", "events":1.50,"x":[1,
              2]} , 7, null]}"#;
        let page = Page::parse(body).unwrap();
        assert_eq!(page.records, 3);
        assert_eq!(page.body_bytes, body.len() as u64);
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(
            lines,
            ["{\"company_id\" : \"caf\\u00e9\\n\", \"events\":1.50,\"x\":[1,               2]}", "7", "null"]
        );
    }

    #[test]
    fn an_empty_list_is_a_page_and_a_missing_one_is_not() {
        assert_eq!(Page::parse(br#"{"data":[]}"#).unwrap().records, 0);
        for (body, problem) in [
            (r"{}", "missing field `data`"),
            (r#"{"data":null}"#, "invalid type: null, expected a sequence"),
            (r#"{"items":[]}"#, "missing field `data`"),
            (r#"[{"company_id":"a"}]"#, "invalid type: map, expected a sequence"),
            ("<html>", "expected value"),
        ] {
            let error = Page::parse(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(problem), "{body}: {error}");
        }
    }
}
