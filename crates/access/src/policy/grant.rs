//! Who gets which roles.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{caller::Identity, role::Role};

/// Roles for whoever fits.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(super) who: Who,
    pub(super) roles: BTreeSet<Role>,
}

/// Whom a grant is for.
#[derive(Debug)]
pub(super) enum Who {
    /// The identity of this name.
    Identity(String),
    /// Identities whose names begin so; ends with `:` or `/`.
    Prefix(String),
    /// Identities of an issuer whose claim fits.
    Claim { issuer: String, claim: String, test: ClaimTest },
}

/// What a claim must be.
#[derive(Debug)]
pub(super) enum ClaimTest {
    /// The claim is this text.
    Equals(String),
    /// The claim is a list with this text in it, or a text with it among its words, as
    /// `scope` has them.
    Contains(String),
}

/// The roles of an identity: all that any grant gives to it.
pub(crate) fn roles(grants: &[Grant], identity: &Identity) -> BTreeSet<Role> {
    grants
        .iter()
        .filter(|grant| grant.who.fits(identity))
        .flat_map(|grant| grant.roles.iter().copied())
        .collect()
}

impl Who {
    fn fits(&self, identity: &Identity) -> bool {
        match self {
            Self::Identity(name) => identity.name == *name,
            Self::Prefix(prefix) => identity.name.starts_with(prefix),
            Self::Claim { issuer, claim, test } => identity
                .issued
                .as_deref()
                .filter(|(issued_by, _)| issued_by == issuer)
                .and_then(|(_, claims)| find(claims, claim))
                .is_some_and(|value| test.accepts(value)),
        }
    }
}

/// A claim by its name, or by a JSON pointer (`/realm_access/roles`) to one inside another.
fn find<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a Value> {
    let Some(path) = claim.strip_prefix('/') else { return claims.get(claim) };
    let unescaped = |token: &str| token.replace("~1", "/").replace("~0", "~");
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let value = claims.get(&unescaped(first))?;
    rest.map_or(Some(value), |rest| value.pointer(&format!("/{rest}")))
}

impl ClaimTest {
    fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Equals(expected), Value::String(text)) => text == expected,
            (Self::Contains(expected), Value::String(text)) => {
                text.split_ascii_whitespace().any(|word| word == expected)
            }
            (Self::Contains(expected), Value::Array(values)) => {
                values.iter().any(|value| value.as_str() == Some(expected))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn identity(name: &str, claims: Value) -> Identity {
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        Identity { name: name.to_owned(), issued: Some(Arc::new(("people".to_owned(), claims))) }
    }

    fn claim(claim: &str, test: ClaimTest) -> Who {
        Who::Claim { issuer: "people".to_owned(), claim: claim.to_owned(), test }
    }

    fn contains(text: &str) -> ClaimTest {
        ClaimTest::Contains(text.to_owned())
    }

    fn equals(text: &str) -> ClaimTest {
        ClaimTest::Equals(text.to_owned())
    }

    #[test]
    fn a_claim_is_a_value_a_list_or_words() {
        let alice = identity(
            "people:1",
            json!({
                "email": "alice@example.org",
                "groups": ["analysts", "data/team"],
                "scope": "read write",
                "admin": true,
                "realm_access": {"roles": ["operator"]},
                "kubernetes.io": {"namespace": "a"},
                "a/b": {"c~d": "e"},
            }),
        );
        let fitting = [
            claim("email", equals("alice@example.org")),
            claim("groups", contains("analysts")),
            claim("scope", contains("write")),
            claim("/realm_access/roles", contains("operator")),
            claim("/kubernetes.io/namespace", equals("a")),
            claim("/a~1b/c~0d", equals("e")),
            claim("/email", equals("alice@example.org")),
        ];
        for who in fitting {
            assert!(who.fits(&alice), "{who:?}");
        }
        let others = [
            claim("email", equals("alice@example")),
            claim("email", contains("alice")),
            claim("groups", equals("analysts")),
            claim("groups", contains("data")),
            claim("scope", contains("writ")),
            claim("admin", equals("true")),
            claim("missing", equals("")),
            claim("/realm_access/missing", contains("operator")),
            claim("/", equals("")),
        ];
        for who in others {
            assert!(!who.fits(&alice), "{who:?}");
        }
    }

    #[test]
    fn a_claim_of_another_issuer_proves_nothing() {
        let mut mallory = identity("other:1", json!({"groups": ["analysts"]}));
        let who = claim("groups", contains("analysts"));
        assert!(who.fits(&mallory));
        Arc::make_mut(mallory.issued.as_mut().unwrap()).0 = "other".to_owned();
        assert!(!who.fits(&mallory));
        assert!(!who.fits(&Identity::named("people:1".to_owned())));
    }

    #[test]
    fn roles_of_several_grants_add_up() {
        let grant = |who, role| Grant { who, roles: BTreeSet::from([role]) };
        let grants = [
            grant(Who::Identity("spiffe://a/b".to_owned()), Role::Stage),
            grant(Who::Prefix("spiffe://a/".to_owned()), Role::Reader),
            grant(Who::Identity("spiffe://a/c".to_owned()), Role::Operator),
        ];
        let held = roles(&grants, &Identity::named("spiffe://a/b".to_owned()));
        assert_eq!(held, BTreeSet::from([Role::Reader, Role::Stage]));
        assert!(roles(&grants, &Identity::named("spiffe://ab".to_owned())).is_empty());
    }
}
