//! Whom a credential names.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde_json::{Map, Value};

use crate::role::Role;

/// The name of whoever calls a server that asks nobody.
const ANONYMOUS: &str = "anonymous";

/// One name that a call has proved, with what its issuer says of it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// `spiffe://...`, `dns:<host>`, `<issuer>:<sub>` or `token:<name>`.
    pub(crate) name: String,
    /// The issuer's name in the policy, and the token's claims.
    pub(crate) issued: Option<Arc<(String, Map<String, Value>)>>,
}

impl Identity {
    /// An identity without claims.
    pub(crate) const fn named(name: String) -> Self {
        Self { name, issued: None }
    }
}

/// The caller of an admitted call, in the extensions of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    name: String,
    roles: BTreeSet<Role>,
}

impl Caller {
    pub(crate) const fn new(name: String, roles: BTreeSet<Role>) -> Self {
        Self { name, roles }
    }

    /// Whoever calls a server that asks nobody.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(ANONYMOUS.to_owned(), Role::ALL.into())
    }

    /// Whether nobody asked who it is. No policy can name a caller so: names of proved callers
    /// say what has proved them.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.name == ANONYMOUS
    }

    /// Its stable name, for logs and the audit trail: `spiffe://...`, `dns:<host>`,
    /// `<issuer>:<sub>`, `token:<name>` or `anonymous`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The roles that the policy grants to this name.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        self.roles.iter().copied()
    }

    /// Whether the caller has a role.
    #[must_use]
    pub fn holds(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
