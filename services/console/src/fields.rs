//! The fields of a form, or of an address: names with values, of which some come several times.

use chrono::NaiveDate;
use domain::{DateWindow, date_window::parse_day};
use serde::Deserialize;

use crate::failure::Failure;

/// Fields in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields of an encoded form or query.
    #[cfg(test)]
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The values of a field, without those left empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(field, _)| field == name);
        named.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// A field's first value; empty if it has none.
    pub(crate) fn text<'a>(&'a self, name: &'a str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    /// Whether a box is ticked.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// The days from the field `from` to the field `to`. One of them alone is a day.
    ///
    /// # Errors
    /// If a text is no day, or the days are in the wrong order.
    pub(crate) fn window(&self) -> Result<Option<DateWindow>, Failure> {
        let (from, to) = match (self.text("from"), self.text("to")) {
            ("", "") => return Ok(None),
            ("", day) | (day, "") => (day, day),
            both => both,
        };
        DateWindow::new(day(from)?, day(to)?).map(Some).map_err(|error| Failure::Invalid(error.to_string()))
    }

    /// The days that a field lists, apart by spaces or commas.
    ///
    /// # Errors
    /// If a text is no day.
    pub(crate) fn days(&self, name: &str) -> Result<Vec<String>, Failure> {
        let listed = self.text(name).split([' ', ',', ';', '\t', '\r', '\n']).filter(|text| !text.is_empty());
        listed.map(|text| day(text).map(|day| day.to_string())).collect()
    }
}

/// A day that may be left out.
///
/// # Errors
/// If the text is no day.
pub(crate) fn optional_day(text: &str) -> Result<Option<NaiveDate>, Failure> {
    if text.is_empty() { Ok(None) } else { day(text).map(Some) }
}

fn day(text: &str) -> Result<NaiveDate, Failure> {
    parse_day(text)
        .ok_or_else(|| Failure::Invalid(format!("{text:?} is not a calendar day of the form YYYY-MM-DD")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_day_alone_is_a_window_and_what_is_no_day_is_named() {
        let window = |query: &str| Fields::parse(query.as_bytes()).window();
        assert_eq!(window("from=&to=").unwrap(), None);
        let day = DateWindow::parse("2026-02-12", "2026-02-12").unwrap();
        assert_eq!(window("from=2026-02-12").unwrap(), Some(day));
        assert_eq!(window("to=2026-02-12&from=").unwrap(), Some(day));
        assert!(window("from=soon").unwrap_err().to_string().contains("\"soon\""));
        assert!(window("from=2026-02-12&to=2026-02-11").is_err());
    }

    #[test]
    fn days_are_listed_as_people_write_them() {
        let fields = Fields::parse(b"accept_empty=2026-02-12%2C+2026-02-13%0A");
        assert_eq!(fields.days("accept_empty").unwrap(), ["2026-02-12", "2026-02-13"]);
        assert!(Fields::parse(b"accept_empty=x").days("accept_empty").is_err());
    }
}
