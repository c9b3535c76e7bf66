//! Addresses of this site: every state of a page is one, and a link changes a part of it.

use std::fmt;

use axum::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

/// The field that says which page of a list is shown.
pub(crate) const PAGE: &str = "page";

/// What the id of a run has besides letters and digits stays as it is.
const RUN_ID: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-');

/// A path with the fields of its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    path: String,
    fields: Vec<(String, String)>,
    fragment: &'static str,
}

impl Address {
    /// A path without a query.
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), fields: Vec::new(), fragment: "" }
    }

    /// The address that was asked for. Forms send fields that nobody has filled in; they mean nothing.
    pub(crate) fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        let fields = form_urlencoded::parse(query.as_bytes())
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Self { path: uri.path().to_owned(), fields, fragment: "" }
    }

    /// The same with this field, which an empty value removes. All others stay.
    pub(crate) fn with(&self, name: &str, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        let mut changed = self.without(name);
        if !value.is_empty() {
            changed.fields.push((name.to_owned(), value));
        }
        changed
    }

    /// The same without this field.
    pub(crate) fn without(&self, name: &str) -> Self {
        let fields = self.fields.iter().filter(|(other, _)| other != name).cloned().collect();
        Self { path: self.path.clone(), fields, fragment: self.fragment }
    }

    /// Whether it says anything in this field.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(other, _)| other == name)
    }

    /// The same list from its first page: another filter or order has other pages.
    pub(crate) fn first_page(&self) -> Self {
        self.without(PAGE)
    }

    /// The same fields at another path.
    pub(crate) fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// The same, at one element of the page.
    pub(crate) fn to(&self, fragment: &'static str) -> Self {
        Self { fragment, ..self.clone() }
    }

    /// The fields that a form which asks for `asked` itself has to keep.
    pub(crate) fn kept<'a>(&'a self, asked: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(move |(name, _)| *name != PAGE && !asked.contains(name))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if !self.fields.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            write!(f, "?{}", query.extend_pairs(&self.fields).finish())?;
        }
        if !self.fragment.is_empty() {
            write!(f, "#{}", self.fragment)?;
        }
        Ok(())
    }
}

/// Stands before an identifier that a browser would take for a step in the path, however it is
/// encoded. An identifier that begins so has it twice.
const AS_IT_IS: &str = "~";

/// The page of a company, whatever its identifier holds.
pub(crate) fn company(company_id: &str) -> String {
    let is_step = matches!(company_id, "." | "..");
    let escape = if is_step || company_id.starts_with(AS_IT_IS) { AS_IT_IS } else { "" };
    format!("/companies/{escape}{}", utf8_percent_encode(company_id, NON_ALPHANUMERIC))
}

/// The identifier that such a path names.
pub(crate) fn company_of(segment: &str) -> &str {
    segment.strip_prefix(AS_IT_IS).unwrap_or(segment)
}

/// The page of a run.
pub(crate) fn run(run_id: &str) -> String {
    format!("/runs/{}", utf8_percent_encode(run_id, RUN_ID))
}

/// The form that starts a run over a day.
pub(crate) fn start_run(date: impl fmt::Display) -> Address {
    Address::new("/runs").with("start", "yes").with("from", &date).with("to", date)
}

/// What running a day again would change, and the form that does it.
pub(crate) fn run_again(date: impl fmt::Display) -> Address {
    Address::new("/backfill").with("from", &date).with("to", date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::of(&text.parse().unwrap())
    }

    #[test]
    fn a_link_changes_one_field_and_keeps_the_others() {
        let asked = address("/companies?text=a%26b+c&country=&page=xyz");
        assert_eq!(asked.to_string(), "/companies?text=a%26b+c&page=xyz");
        assert_eq!(
            asked.first_page().with("order", "name").to_string(),
            "/companies?text=a%26b+c&order=name"
        );
        assert_eq!(asked.with("text", "").with("page", 2).to("list").to_string(), "/companies?page=2#list");
        assert_eq!(asked.at("/churn.csv").without("page").to_string(), "/churn.csv?text=a%26b+c");
        assert_eq!(asked.kept(&["order"]).collect::<Vec<_>>(), [("text", "a&b c")]);
        assert_eq!(Address::new("/quality").to_string(), "/quality");
    }

    #[test]
    fn an_identifier_stays_one_segment_of_the_path() {
        assert_eq!(company("a/b?c#d e"), "/companies/a%2Fb%3Fc%23d%20e");
        assert_eq!(company("acme"), "/companies/acme");
        assert_eq!(
            [company("."), company(".."), company("~x")].join(" "),
            "/companies/~%2E /companies/~%2E%2E /companies/~%7Ex"
        );
        assert_eq!(["acme", "~..", "~~x"].map(company_of), ["acme", "..", "~x"]);
        assert_eq!(run("019e8e6d-36a5"), "/runs/019e8e6d-36a5");
    }
}
