//! The kinds of reasons for which rows are rejected, for counting and filtering them.

/// The kind of a [`RejectionReason`](crate::RejectionReason). The list is short and
/// closed: each is a label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectionKind {
    /// The company's identifier is unusable.
    CompanyId,
    /// A field is missing or has the wrong form.
    Field,
    /// The row is for a day that it may not be for.
    Date,
    /// A count is below zero.
    NegativeCount,
    /// The row cannot be read at all.
    Malformed,
    /// A later row of the delivery gives the same key other values.
    Superseded,
    /// Nobody noted the kind: the row was rejected by a version that knew none.
    Unknown,
}

impl RejectionKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::CompanyId,
        Self::Field,
        Self::Date,
        Self::NegativeCount,
        Self::Malformed,
        Self::Superseded,
        Self::Unknown,
    ];

    /// Its name in storage, in contracts, in metrics and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CompanyId => "COMPANY_ID",
            Self::Field => "FIELD",
            Self::Date => "DATE",
            Self::NegativeCount => "NEGATIVE_COUNT",
            Self::Malformed => "MALFORMED",
            Self::Superseded => "SUPERSEDED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind of a stored name. One that only a newer version knows is unknown here.
    #[must_use]
    pub fn of_stored(name: &str) -> Self {
        Self::parse(name).unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for (at, kind) in RejectionKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(RejectionKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(RejectionKind::parse("field"), None);
        assert_eq!(RejectionKind::of_stored("OF_A_NEWER_VERSION"), RejectionKind::Unknown);
    }
}
