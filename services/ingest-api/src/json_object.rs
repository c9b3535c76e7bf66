//! JSON objects with members looked up by configured names.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Separates the names of nested members.
const NESTING: char = '.';

/// How many members an error lists.
const MAX_LISTED: usize = 8;

/// An object's members, not parsed yet.
#[derive(Debug)]
pub(crate) struct Object<'a>(Vec<(String, &'a RawValue)>);

/// A member that occurs twice, so that its value is ambiguous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repeated(pub(crate) String);

impl<'a> Object<'a> {
    /// Parses an object; `None` for any other JSON.
    pub(crate) fn of(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    /// A member of the object itself.
    ///
    /// # Errors
    /// If it occurs twice.
    pub(crate) fn member(&self, name: &str) -> Result<Option<&'a RawValue>, Repeated> {
        let mut found = self.0.iter().filter(|(member, _)| member == name);
        let first = found.next();
        match found.next() {
            Some((name, _)) => Err(Repeated(name.clone())),
            None => Ok(first.map(|(_, value)| *value)),
        }
    }

    /// The member at a path such as `account.id`: one with exactly this name,
    /// or one in a nested object.
    ///
    /// # Errors
    /// If a part of the path occurs twice.
    pub(crate) fn at(&self, path: &str) -> Result<Option<&'a RawValue>, Repeated> {
        if let Some(value) = self.member(path)? {
            return Ok(Some(value));
        }
        let Some((outer, inner)) = path.split_once(NESTING) else { return Ok(None) };
        let nested = self.member(outer)?.and_then(Object::of);
        nested.map_or(Ok(None), |nested| nested.at(inner))
    }

    /// The names of the members for an error, in their order and not too many; `None`
    /// if there are none.
    pub(crate) fn listed(&self) -> Option<String> {
        let mut names: Vec<&str> = self.0.iter().take(MAX_LISTED).map(|(name, _)| name.as_str()).collect();
        if self.0.len() > MAX_LISTED {
            names.push("...");
        }
        (!names.is_empty()).then(|| names.join(", "))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(4));
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Members).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(json: &str, path: &str) -> Result<Option<String>, Repeated> {
        let object: Object<'_> = serde_json::from_str(json).unwrap();
        object.at(path).map(|found| found.map(|value| value.get().to_owned()))
    }

    #[test]
    fn a_path_finds_nested_members_and_members_with_a_dot_in_their_name() {
        let json = r#"{"id":1,"account":{"id":2,"owner":{"id":3}},"account.name":"x","list":[{"id":4}]}"#;
        for (path, expected) in [
            ("id", Some("1")),
            ("account.id", Some("2")),
            ("account.owner.id", Some("3")),
            ("account.name", Some("\"x\"")),
            ("account.nobody", None),
            ("id.id", None),
            ("list.id", None),
        ] {
            assert_eq!(at(json, path), Ok(expected.map(str::to_owned)), "{path}");
        }
    }

    #[test]
    fn the_members_are_listed_up_to_a_number() {
        let listed = |json: &str| serde_json::from_str::<Object<'_>>(json).unwrap().listed();
        assert_eq!(listed("{}"), None);
        assert_eq!(listed(r#"{"a":1,"b":{"c":2}}"#).as_deref(), Some("a, b"));
        let nine = (0..9).map(|at| format!("\"{at}\":0")).collect::<Vec<_>>().join(",");
        assert_eq!(listed(&format!("{{{nine}}}")).as_deref(), Some("0, 1, 2, 3, 4, 5, 6, 7, ..."));
    }

    #[test]
    fn a_member_that_occurs_twice_is_not_chosen_from() {
        let json = r#"{"a":{"id":1,"id":2},"b":1,"b":1,"c":7}"#;
        assert_eq!(at(json, "b"), Err(Repeated("b".into())));
        assert_eq!(at(json, "a.id"), Err(Repeated("id".into())));
        assert_eq!(at(json, "c"), Ok(Some("7".into())));
    }
}
