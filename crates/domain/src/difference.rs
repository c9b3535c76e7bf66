//! How published numbers differ from their source.

/// Why a company-day's published numbers are not the source's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DifferenceKind {
    /// The source returns a record now that it did not return when it was last asked.
    LateAtSource,
    /// The source returns other numbers now than when it was last asked.
    CorrectedAtSource,
    /// The source had the record, and it is not published.
    MissingHere,
    /// It is published, and the source has no such record (any more).
    ExtraHere,
    /// The record could not be read, now or when it was last asked for.
    Quarantined,
    /// What was loaded is what the source has, and something else is published.
    DiffersHere,
}

impl DifferenceKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::LateAtSource,
        Self::CorrectedAtSource,
        Self::MissingHere,
        Self::ExtraHere,
        Self::Quarantined,
        Self::DiffersHere,
    ];

    /// The word for it in metrics and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LateAtSource => "late_at_source",
            Self::CorrectedAtSource => "corrected_at_source",
            Self::MissingHere => "missing_here",
            Self::ExtraHere => "extra_here",
            Self::Quarantined => "quarantined",
            Self::DiffersHere => "differs_here",
        }
    }
}
