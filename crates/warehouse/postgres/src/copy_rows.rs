//! Rows in COPY's binary format, which needs no escaping and preserves every value.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::database::storable;

/// The start of every COPY: the signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Seconds from 1970 to 2000, Postgres's epoch.
const EPOCH_2000_SECONDS: i64 = 946_684_800;

/// Days from the year 1 to 2000, by chrono's count.
const EPOCH_2000_DAYS: i32 = 730_120;

/// Encoded rows to be sent.
#[derive(Debug)]
pub(crate) struct CopyRows {
    bytes: Vec<u8>,
}

impl CopyRows {
    /// Starts a COPY.
    pub(crate) fn begin() -> Self {
        Self { bytes: HEADER.to_vec() }
    }

    /// Number of bytes to send.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the bytes to send.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Marks the end of the COPY.
    pub(crate) fn end(&mut self) {
        self.bytes.extend((-1_i16).to_be_bytes());
    }

    /// Starts a row with that many fields, which follow one by one.
    pub(crate) fn row(&mut self, fields: i16) -> &mut Self {
        self.bytes.extend(fields.to_be_bytes());
        self
    }

    pub(crate) fn bigint(&mut self, value: i64) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub(crate) fn integer(&mut self, value: i32) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub(crate) fn boolean(&mut self, value: bool) -> &mut Self {
        self.field(&[u8::from(value)])
    }

    pub(crate) fn date(&mut self, value: NaiveDate) -> &mut Self {
        self.integer(value.num_days_from_ce() - EPOCH_2000_DAYS)
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.field(storable(value).as_bytes())
    }

    pub(crate) fn optional_text(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// A point in time, truncated to microseconds.
    pub(crate) fn optional_timestamp(&mut self, value: Option<DateTime<Utc>>) -> &mut Self {
        match value {
            Some(value) => {
                let micros = i64::from(value.timestamp_subsec_micros());
                self.bigint((value.timestamp() - EPOCH_2000_SECONDS) * 1_000_000 + micros)
            }
            None => self.null(),
        }
    }

    fn null(&mut self) -> &mut Self {
        self.bytes.extend((-1_i32).to_be_bytes());
        self
    }

    fn field(&mut self, value: &[u8]) -> &mut Self {
        // No field comes near two gigabytes; a larger one would be refused as malformed.
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_encoded_field_by_field() {
        let mut rows = CopyRows::begin();
        rows.row(5).bigint(1).integer(-2).text("a\0").optional_text(None).boolean(true);
        rows.end();
        let expected: Vec<u8> = [
            HEADER,
            &[0, 5],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0, 0, 0, 4, 255, 255, 255, 254],
            &[0, 0, 0, 4, b'a', 0xef, 0xbf, 0xbd],
            &[255, 255, 255, 255],
            &[0, 0, 0, 1, 1],
            &[255, 255],
        ]
        .concat();
        assert_eq!(rows.take(), expected);
        assert_eq!(rows.len(), 0);
    }

    #[test]
    fn days_count_from_the_year_2000() {
        for (day, number) in [((2000, 1, 1), 0_i32), ((1999, 12, 31), -1), ((2026, 1, 1), 9_497)] {
            let mut rows = CopyRows { bytes: vec![] };
            rows.date(NaiveDate::from_ymd_opt(day.0, day.1, day.2).unwrap());
            assert_eq!(rows.take(), [4_i32.to_be_bytes(), number.to_be_bytes()].concat(), "{day:?}");
        }
    }

    #[test]
    fn a_point_in_time_is_cut_to_microseconds() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        for (text, micros) in [
            ("2000-01-01T00:00:00.000001999Z", 1_i64),
            ("1999-12-31T23:59:59.999999Z", -1),
            ("2000-01-02T00:00:00Z", 86_400_000_000),
        ] {
            let mut rows = CopyRows { bytes: vec![] };
            rows.optional_timestamp(Some(at(text)));
            assert_eq!(
                rows.take(),
                [8_i32.to_be_bytes().as_slice(), &micros.to_be_bytes()].concat(),
                "{text}"
            );
        }
    }
}
