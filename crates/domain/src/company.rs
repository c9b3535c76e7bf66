//! Companies as the CRM knows them.

use std::fmt;

use chrono::{DateTime, Utc};

/// The longest company identifier that is accepted, in characters.
pub const MAX_COMPANY_ID_CHARS: usize = 256;

/// The longest name, country or industry tag that is accepted, in bytes. Keeps
/// the largest page of rows below what a gRPC message may hold.
pub const MAX_COMPANY_TEXT_BYTES: usize = 1_000;

/// A company's identifier, shared by the CRM and the product API.
///
/// Never empty, without surrounding white space or control characters; leading
/// zeros are part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CompanyId(String);

/// Why a text is no company identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCompanyId {
    /// Nothing but white space.
    #[error("company_id is empty")]
    Empty,
    /// More than [`MAX_COMPANY_ID_CHARS`].
    #[error("company_id is longer than {MAX_COMPANY_ID_CHARS} characters")]
    TooLong,
    /// A control character inside.
    #[error("company_id has a control character")]
    ControlCharacter,
}

impl CompanyId {
    /// Takes an identifier as a source wrote it; surrounding white space is dropped.
    ///
    /// # Errors
    /// If nothing is left, it is too long or has a control character.
    pub fn parse(text: &str) -> Result<Self, InvalidCompanyId> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidCompanyId::Empty);
        }
        if text.chars().count() > MAX_COMPANY_ID_CHARS {
            return Err(InvalidCompanyId::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidCompanyId::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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
    /// The display name, if the CRM has one.
    pub name: Option<String>,
    /// The country, as the CRM spells it.
    pub country: Option<String>,
    /// The industry, as the CRM spells it.
    pub industry_tag: Option<String>,
    /// The most recent contact, if there was one.
    pub last_contact_at: Option<DateTime<Utc>>,
    /// The fields that the export has and that cannot be read; they are `None`
    /// here, and stay as they were known.
    pub unreadable: UnreadableFields,
}

/// Which optional fields of a company cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnreadableFields {
    /// [`CrmCompany::name`].
    pub name: bool,
    /// [`CrmCompany::country`].
    pub country: bool,
    /// [`CrmCompany::industry_tag`].
    pub industry_tag: bool,
    /// [`CrmCompany::last_contact_at`].
    pub last_contact_at: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_are_kept_and_surrounding_space_is_not() {
        assert_eq!(CompanyId::parse(" 007 ").map(|id| id.to_string()), Ok("007".to_owned()));
    }

    #[test]
    fn what_is_no_identifier_is_refused_with_the_reason() {
        assert_eq!(CompanyId::parse("  "), Err(InvalidCompanyId::Empty));
        assert_eq!(CompanyId::parse("a\u{0}b"), Err(InvalidCompanyId::ControlCharacter));
        assert_eq!(CompanyId::parse(&"x".repeat(257)), Err(InvalidCompanyId::TooLong));
    }
}
