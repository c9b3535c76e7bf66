//! What kind of failure an error is, in words that every transport can map.

/// The kind of a failure: decides the gRPC status code and whether a retry
/// can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The caller asked for something that makes no sense.
    InvalidArgument,
    /// There is no such thing.
    NotFound,
    /// The state of the system forbids it, for example a lease held by another.
    FailedPrecondition,
    /// The source refused our credentials.
    Unauthenticated,
    /// The input is not what its contract says: a broken file, garbage JSON.
    InvalidInput,
    /// Something we depend on is away. Transient.
    Unavailable,
    /// Something we depend on asks for patience. Transient.
    Exhausted,
    /// It took too long. Transient.
    TimedOut,
    /// A concurrent change got in between. Transient.
    Conflict,
    /// The caller gave up.
    Cancelled,
    /// A defect of ours, or of the machine.
    Internal,
}

impl FailureKind {
    /// Whether the same call may succeed later with nothing changed.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Unavailable | Self::Exhausted | Self::TimedOut | Self::Conflict => true,
            Self::InvalidArgument
            | Self::NotFound
            | Self::FailedPrecondition
            | Self::Unauthenticated
            | Self::InvalidInput
            | Self::Cancelled
            | Self::Internal => false,
        }
    }
}
