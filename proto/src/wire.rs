//! Checks an encoded message against its bounds, without decoding it.

use crate::bounds::{Bound, Bounded, Field};

/// What is too long, by the field's path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) field: String,
    pub(crate) problem: String,
}

/// The value of a field as encoded.
enum Value<'a> {
    /// A number of any kind.
    Number,
    /// Text, bytes, a message, or a packed list.
    Bytes(&'a [u8]),
}

/// Checks a message. What cannot be read is refused, so that nothing is decoded that was
/// not checked.
pub(crate) fn check(bounded: &Bounded, bytes: &[u8]) -> Result<(), Excess> {
    walk(bounded, "", bytes)
}

fn walk(bounded: &Bounded, parent: &str, mut rest: &[u8]) -> Result<(), Excess> {
    let mut counts = vec![0_usize; bounded.fields.len()];
    while !rest.is_empty() {
        let Some((number, value)) = next_field(&mut rest) else {
            let field = if parent.is_empty() { bounded.name } else { parent.trim_end_matches('.') };
            return Err(Excess { field: field.to_owned(), problem: "cannot be decoded".to_owned() });
        };
        let known = bounded.fields.iter().zip(&mut counts).find(|(field, _)| field.number == number);
        if let Some((field, count)) = known {
            check_value(field, parent, &value, count)?;
        }
    }
    Ok(())
}

fn check_value(field: &Field, parent: &str, value: &Value<'_>, count: &mut usize) -> Result<(), Excess> {
    let excess = |problem| Excess { field: format!("{parent}{}", field.name), problem };
    let mut add = |more: usize, most: usize| {
        *count += more;
        if *count > most { Err(excess(format!("has more than {most} entries"))) } else { Ok(()) }
    };
    let check_text = |text: &[u8], most: usize| {
        if text.len() > most {
            Err(excess(format!("has {} bytes, more than {most}", text.len())))
        } else {
            Ok(())
        }
    };
    match (field.bound, value) {
        (Bound::Text { bytes }, Value::Bytes(text)) => check_text(text, bytes),
        (Bound::Texts { entries, bytes }, Value::Bytes(text)) => {
            add(1, entries)?;
            check_text(text, bytes)
        }
        (Bound::Enums { entries }, Value::Number) => add(1, entries),
        // Packed: each entry ends with the one byte that has no continuation bit.
        (Bound::Enums { entries }, Value::Bytes(packed)) => {
            add(packed.iter().filter(|byte| **byte < 0x80).count(), entries)
        }
        (Bound::Message(of), Value::Bytes(message)) => walk(of, &format!("{parent}{}.", field.name), message),
        (Bound::Messages { entries, of }, Value::Bytes(message)) => {
            add(1, entries)?;
            walk(of, &format!("{parent}{}.", field.name), message)
        }
        // Not of the contract's type: decoding fails.
        (_, Value::Number) => Ok(()),
    }
}

/// The next field's number and value; `None` if the bytes are no message. Groups, which
/// proto3 does not have, are none: nothing inside one is skipped unseen.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => varint(rest).map(|_| Value::Number),
        1 => take(rest, 8).map(|_| Value::Number),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            take(rest, length).map(Value::Bytes)
        }
        5 => take(rest, 4).map(|_| Value::Number),
        _ => None,
    }?;
    Some((key >> 3, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests;
