//! What a caller may be trusted with.

use std::fmt;

use serde::Deserialize;

/// A set of methods that belong together. [`crate::methods`] says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads what is published: queries and exports.
    Reader,
    /// Triggers, watches, cancels and repairs runs, and reconciles.
    Operator,
    /// Executes stages, as the coordinator does.
    Stage,
    /// Sends alerts, as the coordinator does.
    Alerts,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Operator, Self::Stage, Self::Alerts];

    /// The role's name in the policy file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
            Self::Stage => "stage",
            Self::Alerts => "alerts",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
