//! Kinds of differences between published numbers and their source, and the numbers.

use domain::{DifferenceKind, UsageNumbers};
use proto::reconciliation::v1::{DifferenceKind as DifferenceKindProto, UsageNumbers as UsageNumbersProto};

/// A kind of difference as its enum in the contract.
#[must_use]
pub const fn difference_kind_to_proto(kind: DifferenceKind) -> DifferenceKindProto {
    match kind {
        DifferenceKind::LateAtSource => DifferenceKindProto::LateAtSource,
        DifferenceKind::CorrectedAtSource => DifferenceKindProto::CorrectedAtSource,
        DifferenceKind::MissingHere => DifferenceKindProto::MissingHere,
        DifferenceKind::ExtraHere => DifferenceKindProto::ExtraHere,
        DifferenceKind::Quarantined => DifferenceKindProto::Quarantined,
        DifferenceKind::DiffersHere => DifferenceKindProto::DiffersHere,
    }
}

/// The kind of a message; `None` for one that the sender did not know or name.
#[must_use]
pub fn difference_kind_from_proto(number: i32) -> Option<DifferenceKind> {
    match DifferenceKindProto::try_from(number).ok()? {
        DifferenceKindProto::Unspecified => None,
        DifferenceKindProto::LateAtSource => Some(DifferenceKind::LateAtSource),
        DifferenceKindProto::CorrectedAtSource => Some(DifferenceKind::CorrectedAtSource),
        DifferenceKindProto::MissingHere => Some(DifferenceKind::MissingHere),
        DifferenceKindProto::ExtraHere => Some(DifferenceKind::ExtraHere),
        DifferenceKindProto::Quarantined => Some(DifferenceKind::Quarantined),
        DifferenceKindProto::DiffersHere => Some(DifferenceKind::DiffersHere),
    }
}

/// A company-day's numbers as their message.
#[must_use]
pub const fn usage_numbers_to_proto(numbers: UsageNumbers) -> UsageNumbersProto {
    UsageNumbersProto { active_users: numbers.active_users, events: numbers.events }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_survives_the_way_there_and_back() {
        for kind in DifferenceKind::ALL {
            assert_eq!(difference_kind_from_proto(difference_kind_to_proto(kind).into()), Some(kind));
        }
        assert_eq!([0, 99].map(difference_kind_from_proto), [None, None]);
    }
}
