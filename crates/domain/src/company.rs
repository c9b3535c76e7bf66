//! Companies as the CRM knows them.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::text::{invisible, settled};

/// The longest accepted company identifier, in characters.
pub const MAX_COMPANY_ID_CHARS: usize = 256;

/// The longest accepted name, country or industry tag, in bytes. Keeps the largest page
/// of rows within a gRPC message.
pub const MAX_COMPANY_TEXT_BYTES: usize = 1_000;

/// A company's identifier, shared by the CRM and the product API.
///
/// Never empty, in [`settled`] form, without control or invisible characters; leading
/// zeros and case are significant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CompanyId(String);

/// Why a text is not a company identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCompanyId {
    /// Nothing but white space.
    #[error("company_id is empty")]
    Empty,
    /// More than [`MAX_COMPANY_ID_CHARS`].
    #[error("company_id is longer than {MAX_COMPANY_ID_CHARS} characters")]
    TooLong,
    /// It contains a control character.
    #[error("company_id has a control character")]
    ControlCharacter,
    /// It contains an invisible character, which may be all that distinguishes two
    /// companies.
    #[error("company_id has the invisible character U+{:04X}", u32::from(*.0))]
    InvisibleCharacter(char),
}

impl CompanyId {
    /// Parses an identifier as a source or a caller wrote it, and settles its text.
    ///
    /// # Errors
    /// If nothing is left, it is too long, or it has a control or invisible character.
    pub fn parse(text: &str) -> Result<Self, InvalidCompanyId> {
        let text = settled(text);
        if let Some(found) = invisible(&text) {
            return Err(InvalidCompanyId::InvisibleCharacter(found));
        }
        Self::from_stored(text)
    }

    /// Takes a stored identifier unchanged: an earlier version may have stored one that
    /// [`parse`](Self::parse) would change.
    ///
    /// # Errors
    /// If it is empty, too long or has a control character.
    pub fn from_stored(text: impl Into<String>) -> Result<Self, InvalidCompanyId> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidCompanyId::Empty);
        }
        // No text has more characters than bytes.
        if text.len() > MAX_COMPANY_ID_CHARS && text.chars().count() > MAX_COMPANY_ID_CHARS {
            return Err(InvalidCompanyId::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidCompanyId::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for CompanyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One company in one CRM export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmCompany {
    /// The identifier.
    pub company_id: CompanyId,
    /// What the CRM says of it.
    pub attributes: CompanyAttributes,
    /// Attributes that the export has but that cannot be read; they are `None` here and
    /// keep their last known value.
    pub unreadable: UnreadableFields,
}

impl CrmCompany {
    /// A company all of whose attributes could be read.
    #[must_use]
    pub fn read_in_full(company_id: CompanyId, attributes: CompanyAttributes) -> Self {
        Self { company_id, attributes, unreadable: UnreadableFields::default() }
    }
}

/// What the CRM says of a company. A new column of exports begins here: the compiler then
/// names what parses, stages and compares companies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompanyAttributes {
    /// The display name, if the CRM has one.
    pub name: Option<String>,
    /// The country, as the CRM spells it.
    pub country: Option<String>,
    /// The industry, as the CRM spells it.
    pub industry_tag: Option<String>,
    /// The most recent contact, if there was any.
    pub last_contact_at: Option<DateTime<Utc>>,
}

/// Which attributes of a company cannot be read.
#[expect(clippy::struct_excessive_bools, reason = "one for each field")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnreadableFields {
    /// [`CompanyAttributes::name`].
    pub name: bool,
    /// [`CompanyAttributes::country`].
    pub country: bool,
    /// [`CompanyAttributes::industry_tag`].
    pub industry_tag: bool,
    /// [`CompanyAttributes::last_contact_at`].
    pub last_contact_at: bool,
}

impl UnreadableFields {
    /// One bit each, as storage keeps them: 1, 2, 4 and 8. The bit 16 says that nothing of
    /// a company is known; an attribute that comes later takes 32.
    #[must_use]
    pub fn bits(self) -> i32 {
        let Self { name, country, industry_tag, last_contact_at } = self;
        i32::from(name)
            | i32::from(country) << 1
            | i32::from(industry_tag) << 2
            | i32::from(last_contact_at) << 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_splits_a_company_in_two() {
        for text in
            ["Café", "Cafe\u{301}", "\u{feff}Café", "Ca\u{200b}fé", "Café\u{a0}", "\u{200e}Café\u{ad} "]
        {
            assert_eq!(CompanyId::parse(text).map(|id| id.to_string()), Ok("Café".to_owned()), "{text:?}");
        }
        assert_ne!(CompanyId::parse("ACME"), CompanyId::parse("acme"));
    }

    #[test]
    fn a_stored_identifier_is_taken_to_the_letter() {
        assert_eq!(CompanyId::from_stored("Cafe\u{301}\u{200b}").unwrap().as_str(), "Cafe\u{301}\u{200b}");
    }

    #[test]
    fn leading_zeros_are_kept_and_surrounding_space_is_not() {
        assert_eq!(CompanyId::parse(" 007 ").map(|id| id.to_string()), Ok("007".to_owned()));
    }

    #[test]
    fn what_is_no_identifier_is_refused_with_the_reason() {
        assert_eq!(CompanyId::parse("  "), Err(InvalidCompanyId::Empty));
        assert_eq!(CompanyId::parse("\u{feff}\u{200b}"), Err(InvalidCompanyId::Empty));
        let invisible = CompanyId::parse("a\u{3164}b").unwrap_err();
        assert_eq!(invisible.to_string(), "company_id has the invisible character U+3164");
        assert_eq!(CompanyId::parse("a\u{0}b"), Err(InvalidCompanyId::ControlCharacter));
        assert_eq!(CompanyId::parse(&"x".repeat(257)), Err(InvalidCompanyId::TooLong));
    }
}
