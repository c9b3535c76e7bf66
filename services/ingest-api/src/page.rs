//! One page of the product API, split into lines for landing.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use chrono::NaiveDate;
use serde_json::value::RawValue;

use crate::{
    field_names::{FieldNames, WHOLE_ANSWER},
    json_object::{Object, Repeated},
    page_signs::PageSigns,
};

/// Characters that would end a line within a record.
const LINE_BREAKS: [char; 2] = ['\n', '\r'];

/// Members in which an answer reports a failure despite its status.
const FAILURES: [&str; 2] = ["errors", "error"];

/// Members that name an outcome, and the values that mean failure.
const OUTCOMES: [(&str, &[&str]); 2] = [("success", &["false"]), ("status", &["\"error\"", "\"fail\""])];

/// Identifies a page of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRef {
    /// The requested day.
    pub day: NaiveDate,
    /// The page number, from 1.
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
    /// The records verbatim, one per line, each ended by a newline.
    pub(crate) ndjson: Arc<str>,
    /// The hashes of the records' companies, in ascending order: whatever else
    /// a server stamps on its records, and in whatever order, does not tell
    /// pages apart.
    pub(crate) keys: Arc<[u64]>,
    /// What the answer says about its list.
    pub(crate) signs: PageSigns,
    /// The size of the answer's body.
    pub(crate) body_bytes: u64,
}

/// Why an answer is not a page.
#[derive(Debug)]
pub(crate) enum NoPage {
    /// It is not JSON.
    Json(serde_json::Error),
    /// It is JSON in another form.
    Form(String),
    /// It reports a failure; the text of that report.
    Failed(String),
}

impl From<serde_json::Error> for NoPage {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<Repeated> for NoPage {
    fn from(Repeated(name): Repeated) -> Self {
        Self::Form(format!("duplicate field `{name}`"))
    }
}

impl Page {
    /// A page without records, for an answer without a body.
    pub(crate) fn empty() -> Self {
        Self {
            records: 0,
            ndjson: Arc::default(),
            keys: Arc::default(),
            signs: PageSigns::default(),
            body_bytes: 0,
        }
    }

    /// Parses an answer's body.
    ///
    /// # Errors
    /// If it holds no list of records, or reports a failure.
    pub(crate) fn parse(body: &[u8], names: &FieldNames) -> Result<Self, NoPage> {
        let answer: &RawValue = serde_json::from_slice(body)?;
        let (records, signs) = if names.data == WHOLE_ANSWER {
            let records = list_of(answer)
                .ok_or_else(|| NoPage::Form("the answer is no list, as data=. says".into()))?;
            (records, PageSigns::default())
        } else {
            let answer = Object::of(answer).ok_or_else(|| NoPage::Form(no_object(answer)))?;
            if let Some(failure) = failure_of(&answer)? {
                return Err(NoPage::Failed(failure.get().to_owned()));
            }
            let data = answer.at(&names.data)?.ok_or_else(|| NoPage::Form(no_list(&answer, names)))?;
            // Some languages write an empty list as `null`.
            let records = if data.get() == "null" { Some(Vec::new()) } else { list_of(data) };
            let records = records.ok_or_else(|| NoPage::Form(format!("`{}` is no list", names.data)))?;
            let signs = PageSigns::of_body(&answer, records.len(), names)?;
            (records, signs)
        };
        Ok(Self {
            records: records.len(),
            ndjson: ndjson_of(&records, body.len()),
            keys: keys_of(&records, names),
            signs,
            body_bytes: body.len() as u64,
        })
    }

    /// The records one by one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.ndjson.lines()
    }
}

fn list_of(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

fn no_object(answer: &RawValue) -> String {
    if answer.get().starts_with('[') {
        "it is a list; say --product-api-fields data=. to take it".to_owned()
    } else {
        "it is no object".to_owned()
    }
}

fn no_list(answer: &Object<'_>, names: &FieldNames) -> String {
    match answer.listed() {
        None => format!("missing field `{}`", names.data),
        Some(members) => format!(
            "missing field `{}` among {members}; name the list with --product-api-fields data=...",
            names.data
        ),
    }
}

/// The failure that an answer reports, in the forms that JSON APIs commonly use.
fn failure_of<'a>(answer: &Object<'a>) -> Result<Option<&'a RawValue>, Repeated> {
    for name in FAILURES {
        let nothing = ["null", "[]", "{}", "\"\"", "false", "0"];
        if let Some(value) = answer.member(name)?.filter(|value| !nothing.contains(&value.get())) {
            return Ok(Some(value));
        }
    }
    for (name, failures) in OUTCOMES {
        if let Some(value) = answer.member(name)?.filter(|value| failures.contains(&value.get())) {
            return Ok(Some(answer.member("message")?.unwrap_or(value)));
        }
    }
    Ok(None)
}

fn ndjson_of(records: &[&RawValue], capacity: usize) -> Arc<str> {
    let mut ndjson = String::with_capacity(capacity);
    for record in records {
        // JSON strings cannot hold raw line breaks, so these are just white space between tokens.
        for part in record.get().split_inclusive(LINE_BREAKS) {
            match part.strip_suffix(LINE_BREAKS) {
                Some(part) => ndjson.extend([part, " "]),
                None => ndjson.push_str(part),
            }
        }
        ndjson.push('\n');
    }
    ndjson.into()
}

fn keys_of(records: &[&RawValue], names: &FieldNames) -> Arc<[u64]> {
    let key = |record: &&RawValue| {
        let company = Object::of(record).and_then(|object| object.at(&names.company_id).ok().flatten());
        let mut hasher = DefaultHasher::new();
        company.unwrap_or(record).get().hash(&mut hasher);
        hasher.finish()
    };
    let mut keys: Vec<u64> = records.iter().map(key).collect();
    keys.sort_unstable();
    keys.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Page, NoPage> {
        Page::parse(body.as_bytes(), &FieldNames::default())
    }

    fn parse_as(body: &str, data: &str) -> Page {
        let names = FieldNames { data: data.to_owned(), ..FieldNames::default() };
        Page::parse(body.as_bytes(), &names).unwrap()
    }

    #[test]
    fn records_stay_verbatim_except_for_line_breaks_between_tokens() {
        let body = r#"{"next":null,"data":[
            {"company_id" : "caf\u00e9\n", "events":1.50,"x":[1,
              2]} , 7, null]}"#;
        let page = parse(body).unwrap();
        assert_eq!(page.records, 3);
        assert_eq!(page.body_bytes, body.len() as u64);
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(
            lines,
            ["{\"company_id\" : \"caf\\u00e9\\n\", \"events\":1.50,\"x\":[1,               2]}", "7", "null"]
        );
        assert_eq!(page.signs.more, Some(false));
    }

    #[test]
    fn the_list_may_lie_deeper_or_be_the_whole_answer() {
        assert_eq!(parse_as(r#"{"result":{"items":[1,2]}}"#, "result.items").records, 2);
        assert_eq!(parse_as(r#"[{"company_id":"a"}]"#, ".").records, 1);
    }

    #[test]
    fn an_empty_list_is_a_page_and_a_missing_one_is_not() {
        for body in [r#"{"data":[]}"#, r#"{"data":null}"#, r#"{"data":[],"errors":[],"error":null}"#] {
            assert_eq!(parse(body).unwrap().records, 0);
        }
        for (body, expected) in [
            (r"{}", "missing field `data`"),
            (r#"{"items":[],"next":1}"#, "missing field `data` among items, next; name the list"),
            (r#"{"data":{}}"#, "`data` is no list"),
            (r#"{"data":[],"data":[1]}"#, "duplicate field `data`"),
            (r#"[{"company_id":"a"}]"#, "it is a list; say --product-api-fields data=."),
            ("7", "it is no object"),
        ] {
            let Err(NoPage::Form(problem)) = parse(body) else { panic!("{body} is a page") };
            assert!(problem.starts_with(expected), "{body}: {problem}");
        }
        assert!(matches!(parse("<html>"), Err(NoPage::Json(_))));
    }

    #[test]
    fn an_answer_that_says_it_failed_is_no_page_whatever_it_holds() {
        for (body, expected) in [
            (r#"{"data":[],"errors":["timeout"]}"#, r#"["timeout"]"#),
            (r#"{"data":[{"company_id":"a"}],"errors":{"usage":"partial"}}"#, r#"{"usage":"partial"}"#),
            (r#"{"error":"try later"}"#, r#""try later""#),
            (r#"{"success":false,"message":"no shard","data":[]}"#, r#""no shard""#),
            (r#"{"status":"error","data":null}"#, r#""error""#),
        ] {
            let Err(NoPage::Failed(reported)) = parse(body) else { panic!("{body} is a page") };
            assert_eq!(reported, expected, "{body}");
        }
    }

    #[test]
    fn pages_of_the_same_companies_have_the_same_keys() {
        let keys = |body: &str| parse(body).unwrap().keys;
        let page = keys(r#"{"data":[{"company_id":"a","at":1},{"company_id":"b","at":1}]}"#);
        assert_eq!(page, keys(r#"{"data":[{"company_id":"b","at":2},{"company_id":"a","at":3}]}"#));
        assert_ne!(page, keys(r#"{"data":[{"company_id":"a"},{"company_id":"c"}]}"#));
        assert_ne!(page, keys(r#"{"data":[{"company_id":"a"}]}"#));
    }
}
