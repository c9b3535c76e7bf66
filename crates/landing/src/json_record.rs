//! NDJSON records, checked field by field, so that errors name each invalid field.
//!
//! A record declares its fields as `Option<&RawValue>` and reads them with [`text`],
//! [`identifier`] and [`integer`].

use domain::RejectionReason;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The longest excerpt of an invalid value in a reason, in characters.
const MAX_SHOWN_CHARS: usize = 40;

/// Parses a line as a record whose fields are not yet checked.
///
/// # Errors
/// If it is not a JSON object, or a field occurs twice.
pub fn parse<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, RejectionReason> {
    if !line.trim_start().starts_with('{') {
        return Err(RejectionReason::Malformed(format!("{} is no record", shown(line))));
    }
    serde_json::from_str(line).map_err(|error| {
        // The record is one line, so only the column is informative.
        let (text, column) = (error.to_string(), error.column());
        let problem = text.split(" at line ").next().unwrap_or_default();
        RejectionReason::Malformed(format!("not readable as a record: {problem} at column {column}"))
    })
}

/// Keeps `null` as a value, which `Option` would treat as absent: for `#[serde(borrow,
/// default, deserialize_with = "present")]`.
///
/// # Errors
/// If it is not JSON.
pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A field that must be a string.
///
/// # Errors
/// If it is missing or something else.
pub fn text(field: &'static str, value: Option<&RawValue>) -> Result<String, RejectionReason> {
    let json = required(field, value)?;
    serde_json::from_str(json).map_err(|_| wrong(field, json, "is not a string"))
}

/// Reads an identifier: a string, or an integer of any size as its digits.
///
/// # Errors
/// If it is missing or something else.
pub fn identifier(field: &'static str, value: Option<&RawValue>) -> Result<String, RejectionReason> {
    let json = required(field, value)?;
    let digits = json.strip_prefix('-').unwrap_or(json);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(json.to_owned());
    }
    serde_json::from_str(json).map_err(|_| wrong(field, json, "is neither a string nor an integer"))
}

/// Reads an integer in any unambiguous form: `5`, `5.0`, `5e0` or `"5"`.
///
/// # Errors
/// If it is missing or something else.
pub fn integer(field: &'static str, value: Option<&RawValue>) -> Result<i64, RejectionReason> {
    let json = required(field, value)?;
    exact_integer(json).ok_or_else(|| wrong(field, json, "is not an integer of at most 64 bits"))
}

/// Whether an integer is written the way JSON writes integers.
#[must_use]
pub fn is_plain_integer(value: &RawValue) -> bool {
    let json = value.get();
    json.strip_prefix('-').unwrap_or(json).bytes().all(|byte| byte.is_ascii_digit())
}

/// The value of a decimal number, quoted or not, if it is whole. Avoids floats, which
/// would round a number that is not.
fn exact_integer(json: &str) -> Option<i64> {
    let quoted: Option<String> = serde_json::from_str(json).ok();
    let text = quoted.as_deref().unwrap_or(json);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (sign, magnitude) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let mut digits = format!("{whole}{fraction}").trim_start_matches('0').to_owned();
    if digits.is_empty() {
        return Some(0);
    }
    let point = i64::from(exponent) - i64::try_from(fraction.len()).ok()?;
    let places = usize::try_from(point.unsigned_abs()).ok()?;
    if point < 0 {
        let kept = digits.len().checked_sub(places)?;
        if digits.split_off(kept).bytes().any(|digit| digit != b'0') {
            return None;
        }
    } else {
        digits.extend(std::iter::repeat_n('0', places));
    }
    format!("{sign}{digits}").parse().ok()
}

fn required<'a>(field: &'static str, value: Option<&'a RawValue>) -> Result<&'a str, RejectionReason> {
    value.map(RawValue::get).ok_or_else(|| RejectionReason::Field { field, problem: "is missing".to_owned() })
}

fn wrong(field: &'static str, json: &str, problem: &str) -> RejectionReason {
    RejectionReason::Field { field, problem: format!("{} {problem}", shown(json)) }
}

fn shown(json: &str) -> String {
    match json.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((cut, _)) => format!("{}...", json.get(..cut).unwrap_or_default()),
        None => json.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Record<'a> {
        #[serde(borrow, default, deserialize_with = "present")]
        field: Option<&'a RawValue>,
    }

    fn read<T>(
        line: &str,
        kind: impl Fn(&'static str, Option<&RawValue>) -> Result<T, RejectionReason>,
    ) -> Result<T, String> {
        parse::<Record<'_>>(line)
            .and_then(|record| kind("field", record.field))
            .map_err(|reason| reason.to_string())
    }

    #[test]
    fn a_field_is_read_whatever_else_the_record_says() {
        assert_eq!(read(r#"{"x":{"field":1},"field":"a","y":[]}"#, text), Ok("a".to_owned()));
        assert_eq!(read(r#"{"field":-7}"#, integer), Ok(-7));
    }

    #[test]
    fn a_numeric_identifier_keeps_all_its_digits() {
        for (json, expected) in [
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("-1", "-1"),
            ("\"007\"", "007"),
        ] {
            assert_eq!(read(&format!("{{\"field\":{json}}}"), identifier), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn an_integer_is_read_in_every_form_that_is_exact() {
        for (json, expected) in [
            ("0", 0),
            ("-0.0", 0),
            ("5.0", 5),
            ("5.000000000000000000000", 5),
            ("\"5\"", 5),
            ("\"005\"", 5),
            ("\"5.0\"", 5),
            ("5e0", 5),
            ("1.5E+1", 15),
            ("500e-2", 5),
            ("-12.30e1", -123),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(read(&format!("{{\"field\":{json}}}"), integer), Ok(expected), "{json}");
        }
    }

    #[test]
    fn each_wrong_field_is_named_with_what_is_wrong() {
        let unnamed = read("{}", text).unwrap_err();
        assert_eq!(unnamed, "field: is missing");
        assert_eq!(read(r#"{"field":null}"#, text).unwrap_err(), "field: null is not a string");
        let problem = read(r#"{"field":1.5}"#, identifier).unwrap_err();
        assert_eq!(problem, "field: 1.5 is neither a string nor an integer");
        let problem = read(r#"{"field":9223372036854775808}"#, integer).unwrap_err();
        assert_eq!(problem, "field: 9223372036854775808 is not an integer of at most 64 bits");
        for json in [
            "5.5",
            "5e-1",
            "\"\"",
            "\"5 users\"",
            "\"+5\"",
            "\"5,0\"",
            "\"0x5\"",
            "1e19",
            "null",
            "true",
            "[5]",
        ] {
            let problem = read(&format!("{{\"field\":{json}}}"), integer).unwrap_err();
            assert_eq!(problem, format!("field: {json} is not an integer of at most 64 bits"));
        }
        let long = format!("{{\"field\":\"{}\"}}", "ä".repeat(500));
        assert!(read(&long, integer).unwrap_err().chars().count() < 100);
    }

    #[test]
    fn what_is_no_record_is_reported_with_its_column() {
        for line in ["7", "null", "[1,2]", "\"x\""] {
            assert_eq!(read(line, text).unwrap_err(), format!("{line} is no record"));
        }
        let problem = read(r#"{"field":1 "x":2}"#, text).unwrap_err();
        assert_eq!(problem, "not readable as a record: expected `,` or `}` at column 12");
        let problem = read(r#"{"field":1,"field":2}"#, text).unwrap_err();
        assert!(
            problem.starts_with("not readable as a record: duplicate field `field` at column "),
            "{problem}"
        );
    }
}
