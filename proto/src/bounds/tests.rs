//! The table, held to the contracts.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

use super::*;

struct Contract {
    messages: BTreeMap<String, DescriptorProto>,
    requests: BTreeSet<String>,
}

fn contract() -> Contract {
    let set = FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap();
    let mut contract = Contract { messages: BTreeMap::new(), requests: BTreeSet::new() };
    for file in &set.file {
        for message in &file.message_type {
            assert!(message.nested_type.is_empty(), "a nested message would go unchecked");
            contract.messages.insert(format!(".{}.{}", file.package(), message.name()), message.clone());
        }
        let methods = file.service.iter().flat_map(|service| &service.method);
        contract.requests.extend(methods.map(|method| method.input_type().to_owned()));
    }
    contract
}

fn full_name(bounded: &Bounded) -> String {
    format!(".{}.{}", bounded.package, bounded.name)
}

impl Contract {
    /// Whether a caller decides how long some part of the field is.
    fn needs_bound(&self, field: &FieldDescriptorProto) -> bool {
        match field.r#type() {
            _ if field.label() == Label::Repeated => true,
            Type::String | Type::Bytes => true,
            Type::Message => {
                self.messages[field.type_name()].field.iter().any(|inner| self.needs_bound(inner))
            }
            _ => false,
        }
    }

    /// Checks that the table agrees with the contract on a message.
    fn check(&self, bounded: &Bounded) {
        let name = full_name(bounded);
        let message = self.messages.get(&name).unwrap_or_else(|| panic!("{name} is not in the contracts"));
        let needed: Vec<(&str, i32)> = message
            .field
            .iter()
            .filter(|field| self.needs_bound(field))
            .map(|field| (field.name(), field.number()))
            .collect();
        let bound: Vec<(&str, i32)> =
            bounded.fields.iter().map(|field| (field.name, i32::try_from(field.number).unwrap())).collect();
        assert_eq!(bound, needed, "{name}: give each of its fields a bound, in proto/src/bounds.rs");
        for (field, entry) in message.field.iter().filter(|field| self.needs_bound(field)).zip(bounded.fields)
        {
            let repeated = field.label() == Label::Repeated;
            let inner = match (entry.bound, field.r#type(), repeated) {
                (Bound::Text { .. }, Type::String | Type::Bytes, false)
                | (Bound::Texts { .. }, Type::String | Type::Bytes, true)
                | (Bound::Enums { .. }, Type::Enum, true) => continue,
                (Bound::Message(of), Type::Message, false)
                | (Bound::Messages { of, .. }, Type::Message, true) => of,
                other => panic!("{name}.{}: the bound is of another type: {other:?}", entry.name),
            };
            assert_eq!(full_name(inner), field.type_name());
            self.check(inner);
        }
    }
}

#[test]
fn every_field_of_every_request_has_a_bound() {
    let contract = contract();
    let listed: BTreeSet<String> = REQUESTS.iter().map(full_name).collect();
    assert_eq!(listed, contract.requests, "list each request in proto/src/bounds.rs");
    for bounded in &REQUESTS {
        contract.check(bounded);
    }
}

/// At least as many bytes as the longest message, with six for each key and length.
fn longest(bounded: &Bounded) -> usize {
    const FRAME: usize = 6;
    let longest = |field: &Field| match field.bound {
        Bound::Text { bytes } => bytes + FRAME,
        Bound::Texts { entries, bytes } => entries * (bytes + FRAME),
        Bound::Enums { entries } => entries * FRAME,
        Bound::Message(of) => self::longest(of) + FRAME,
        Bound::Messages { entries, of } => entries * (self::longest(of) + FRAME),
    };
    // Numbers, times and switches are short.
    256 + bounded.fields.iter().map(longest).sum::<usize>()
}

#[test]
fn what_the_bounds_admit_fits_a_request() {
    for bounded in &REQUESTS {
        // A day has ten characters: windows and lists of days stay far below their bounds.
        if bounded.name != "PreviewRequest" {
            assert!(longest(bounded) <= MAX_REQUEST_BYTES, "{}: {}", bounded.name, longest(bounded));
        }
    }
    let window = 2 * (10 + 2) + 2;
    assert!(DAYS * window <= MAX_REQUEST_BYTES);
}
