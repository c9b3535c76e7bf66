//! Numbers for people.

use std::fmt;

/// A whole number with its thousands apart: `12,345`.
pub(crate) fn thousands(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// How many of something there are: `1 row`, `1,234 rows`.
pub(crate) fn count(number: impl Into<i128>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A number of bytes: `2.0 KiB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
    let mut size = number as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A ratio with two digits after the point.
pub(crate) fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}")
}

/// How a number has changed against an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) before: i64,
    pub(crate) now: i64,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, now } = *self;
        let word = match now.cmp(&before) {
            std::cmp::Ordering::Equal => return f.write_str("the same"),
            std::cmp::Ordering::Greater => "more",
            std::cmp::Ordering::Less => "fewer",
        };
        let difference = i128::from(now) - i128::from(before);
        write!(f, "{} {word}", thousands(difference.abs()))?;
        if before > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a percentage has one digit after the point")]
            let percent = difference as f64 * 100.0 / before as f64;
            write!(f, " ({percent:+.1} %)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-12_345_678, "-12,345,678"),
            (i64::MIN, "-9,223,372,036,854,775,808"),
        ] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(count(1, "row", "rows"), "1 row");
        assert_eq!(count(1_200u64, "row", "rows"), "1,200 rows");
    }

    #[test]
    fn sizes_are_short() {
        for (number, text) in
            [(0, "0 B"), (2_048, "2.0 KiB"), (5 << 30, "5.0 GiB"), (1 << 60, "1048576.0 TiB")]
        {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn a_change_is_said_in_words_and_percent() {
        let change = |before, now| Change { before, now }.to_string();
        assert_eq!(change(1_000, 1_250), "250 more (+25.0 %)");
        assert_eq!(change(2_000, 500), "1,500 fewer (-75.0 %)");
        assert_eq!(change(7, 7), "the same");
        assert_eq!(change(0, 12), "12 more");
    }
}
