//! The start of CSV text: blank lines, a line `sep=;`, the header's delimiter.

use crate::csv_scan::{Dialect, Escape, Fields, scan};

/// In order of preference if several fit the header line.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The header's position and delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// Where the header starts.
    pub(crate) header: usize,
    pub(crate) delimiter: u8,
}

/// Finds the header in the first bytes of a text. `is_last` means that no more
/// bytes follow; until then the result is `None` while there are too few.
///
/// `rate` scores how well a row of headings is understood.
pub(crate) fn find_header(
    text: &[u8],
    is_last: bool,
    configured: Option<u8>,
    rate: impl Fn(&[String]) -> usize,
) -> Option<Beginning> {
    let mut header = 0;
    let mut announced = None;
    loop {
        let rest = text.get(header..).unwrap_or_default();
        let Some(len) = rest.iter().position(|byte| is_line_break(*byte)) else {
            // The line is incomplete.
            if !is_last {
                return None;
            }
            break;
        };
        let line = rest.get(..len).unwrap_or_default();
        if announced.is_none()
            && let Some(separator) = separator(line)
        {
            announced = Some(separator);
        } else if !is_blank(line) {
            break;
        }
        header += len + 1;
    }
    let rest = text.get(header..).unwrap_or_default();
    if let Some(delimiter) = configured.or(announced) {
        return Some(Beginning { header, delimiter });
    }
    if header_line(rest).is_none() && !is_last {
        return None;
    }
    Some(Beginning { header, delimiter: sniff(header_line(rest).unwrap_or(rest), rate) })
}

/// The delimiter in a first line such as `sep=;`, which Excel writes and reads.
fn separator(line: &[u8]) -> Option<u8> {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [name @ .., b'=', separator] if name.eq_ignore_ascii_case(b"sep") => Some(*separator),
        // Trimming removed the tab after `sep=`.
        [name @ .., b'='] if name.eq_ignore_ascii_case(b"sep") => Some(b'\t'),
        _ => None,
    }
}

/// Everything before the first line break outside quotes.
fn header_line(text: &[u8]) -> Option<&[u8]> {
    let mut is_quoted = false;
    let end = text.iter().position(|byte| {
        is_quoted ^= *byte == b'"';
        !is_quoted && is_line_break(*byte)
    });
    text.get(..end?)
}

/// The delimiter that yields the best-understood headings, or else the one that
/// splits the line most.
fn sniff(line: &[u8], rate: impl Fn(&[String]) -> usize) -> u8 {
    let fit = |delimiter: u8| {
        let mut fields = Fields::default();
        let dialect = Dialect { delimiter, escape: Escape::Doubled };
        // The reader of the line reports what is wrong with it.
        let _ = scan(line, dialect, true, &mut fields);
        let headings: Vec<String> =
            fields.iter().map(|heading| String::from_utf8_lossy(heading).into_owned()).collect();
        (rate(&headings), headings.len())
    };
    // `max_by_key` returns the last of equal elements.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| fit(*delimiter)).unwrap_or(b',')
}

pub(crate) const fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Whether a line is empty except for delimiters.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| byte.is_ascii_whitespace() || DELIMITERS.contains(byte) || *byte == b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(headings: &[String]) -> usize {
        headings.iter().filter(|heading| heading.trim().eq_ignore_ascii_case("company_id")).count()
    }

    fn found(text: &str) -> Option<(usize, char)> {
        let beginning = find_header(text.as_bytes(), false, None, rate)?;
        Some((beginning.header, beginning.delimiter.into()))
    }

    #[test]
    fn the_delimiter_is_the_one_that_splits_off_what_is_understood() {
        for (header, delimiter) in [
            ("company_id,name\n", ','),
            ("company_id;name\n", ';'),
            ("company_id|name\n", '|'),
            ("company_id\tname;a;b;c\n", '\t'),
            ("note, free, text;\"Company_ID\"\n", ';'),
            ("\"a;b;c;d\",x,y\n", ','),
            ("company_id\n", ','),
            ("Record ID|Name|Country\n", '|'),
        ] {
            assert_eq!(found(header), Some((0, delimiter)), "{header}");
        }
    }

    #[test]
    fn blank_lines_and_an_announced_separator_come_before_the_header() {
        for (text, expected) in [
            ("sep=;\r\ncompany_id;a,b,c,d\n", Some((7, ';'))),
            ("\n \n\"SEP=|\"\n\ncompany_id|name\n", Some((12, '|'))),
            ("sep=\t\ncompany_id\tname\n", Some((6, '\t'))),
            (",,,\ncompany_id,name\n", Some((4, ','))),
            ("sep=;\n", None),
            ("company_id,name", None),
            ("company_id,\"a\nb\nc", None),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        let configured = find_header(b"sep=;\na;b|c\n", false, Some(b'|'), rate);
        assert_eq!(configured, Some(Beginning { header: 6, delimiter: b'|' }));
    }

    #[test]
    fn a_line_break_inside_quotes_does_not_end_the_header() {
        assert_eq!(found("company_id;\"a,b,c\nd,e,f,g\";x\n"), Some((0, ';')));
    }
}
