//! The product API's names for the fields that we read.

use std::{fmt, str::FromStr};

/// The names that an answer and its records use. A name may be a path into
/// nested objects, such as `account.id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldNames {
    /// The list of records; [`WHOLE_ANSWER`] if the answer is just the list.
    pub(crate) data: String,
    /// The company's identifier.
    pub(crate) company_id: String,
    /// The day.
    pub(crate) date: String,
    /// Users active on that day.
    pub(crate) active_users: String,
    /// Events on that day.
    pub(crate) events: String,
    /// The total number of records of the day, over all pages.
    pub(crate) total: SignName,
    /// The number of pages.
    pub(crate) total_pages: SignName,
    /// Whether more pages follow, or which.
    pub(crate) more: SignName,
}

/// The name of the list if an answer is just the list.
pub(crate) const WHOLE_ANSWER: &str = ".";

/// Where an answer says how long its list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignName {
    /// In any of the usual places.
    Usual,
    /// Only at this path.
    At(String),
    /// It is ignored.
    Ignored,
}

impl Default for FieldNames {
    fn default() -> Self {
        Self {
            data: "data".into(),
            company_id: "company_id".into(),
            date: "date".into(),
            active_users: "active_users".into(),
            events: "events".into(),
            total: SignName::Usual,
            total_pages: SignName::Usual,
            more: SignName::Usual,
        }
    }
}

/// One `OURS=THEIRS` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldName {
    ours: Ours,
    theirs: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ours {
    Data,
    CompanyId,
    Date,
    ActiveUsers,
    Events,
    Total,
    TotalPages,
    More,
}

impl Ours {
    const ALL: [(Self, &str); 8] = [
        (Self::Data, "data"),
        (Self::CompanyId, "company_id"),
        (Self::Date, "date"),
        (Self::ActiveUsers, "active_users"),
        (Self::Events, "events"),
        (Self::Total, "total"),
        (Self::TotalPages, "total_pages"),
        (Self::More, "more"),
    ];

    const fn may_be_ignored(self) -> bool {
        matches!(self, Self::Total | Self::TotalPages | Self::More)
    }
}

/// Why a text is not a field name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFieldName {
    /// It has no `=`.
    #[error("{0:?} is not of the form OURS=THEIRS, such as company_id=account.id")]
    Form(String),
    /// No field of ours has this name.
    #[error("{0:?} is no field of ours; there are {ours}", ours = OursList)]
    Unknown(String),
    /// A required field has an empty name.
    #[error("{0}= names nothing; leave it out, or give the name that the product API uses")]
    Empty(&'static str),
}

struct OursList;

impl fmt::Display for OursList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Ours::ALL.iter().map(|(_, name)| *name).collect();
        f.write_str(&names.join(", "))
    }
}

impl FromStr for FieldName {
    type Err = InvalidFieldName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ours, theirs) = text.split_once('=').ok_or_else(|| InvalidFieldName::Form(text.to_owned()))?;
        let (ours, theirs) = (ours.trim(), theirs.trim());
        let (ours, name) = *Ours::ALL
            .iter()
            .find(|(_, name)| *name == ours)
            .ok_or_else(|| InvalidFieldName::Unknown(ours.to_owned()))?;
        if theirs.is_empty() && !ours.may_be_ignored() {
            return Err(InvalidFieldName::Empty(name));
        }
        Ok(Self { ours, theirs: theirs.to_owned() })
    }
}

impl FieldNames {
    /// The configured names; if a field has several, the last wins.
    pub(crate) fn new(configured: &[FieldName]) -> Self {
        let mut names = Self::default();
        for FieldName { ours, theirs } in configured {
            let theirs = theirs.clone();
            let sign = if theirs.is_empty() { SignName::Ignored } else { SignName::At(theirs.clone()) };
            match ours {
                Ours::Data => names.data = theirs,
                Ours::CompanyId => names.company_id = theirs,
                Ours::Date => names.date = theirs,
                Ours::ActiveUsers => names.active_users = theirs,
                Ours::Events => names.events = theirs,
                Ours::Total => names.total = sign,
                Ours::TotalPages => names.total_pages = sign,
                Ours::More => names.more = sign,
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(configured: &[&str]) -> Result<FieldNames, String> {
        let parsed: Result<Vec<FieldName>, _> = configured.iter().map(|text| text.parse()).collect();
        parsed.map(|parsed| FieldNames::new(&parsed)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_configured_counts_and_the_rest_keeps_its_name() {
        let expected = FieldNames {
            company_id: "account.id".into(),
            total: SignName::At("meta.size".into()),
            more: SignName::Ignored,
            ..FieldNames::default()
        };
        assert_eq!(names(&["company_id= account.id", "total=meta.size", "more="]), Ok(expected));
    }

    #[test]
    fn what_names_no_field_is_reported_with_those_that_there_are() {
        for (text, expected) in [
            ("account.id", "not of the form OURS=THEIRS"),
            ("company=x", "there are data, company_id, date, active_users, events, total, total_pages, more"),
            ("date=", "date= names nothing"),
        ] {
            let error = names(&[text]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
