//! The beginning of a CSV file: byte order mark, header line, delimiter.

use crate::invalid_file::InvalidFile;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// In the order of preference if the header line fits several.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Gathers a file's beginning until the header line is complete, because only
/// then its delimiter can be told.
#[derive(Debug)]
pub(crate) struct CsvHead {
    bytes: Vec<u8>,
    max_bytes: usize,
}

impl CsvHead {
    /// Of a file whose header line should be no longer than `max_bytes`. Of a
    /// longer one, only so much is looked at.
    pub(crate) const fn new(max_bytes: usize) -> Self {
        Self { bytes: Vec::new(), max_bytes }
    }

    /// Takes the next bytes; true once the header line is complete, or too long,
    /// or too far behind empty lines.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<bool, InvalidFile> {
        self.bytes.extend_from_slice(chunk);
        if UTF16_MARKS.iter().any(|mark| self.bytes.starts_with(mark)) {
            return Err(InvalidFile::Utf16);
        }
        Ok(self.header_line().len() < self.content().len() || self.bytes.len() >= self.max_bytes)
    }

    /// What was gathered, without byte order mark and leading line breaks.
    /// Depends on no byte behind `max_bytes`, so that it does not matter how many
    /// there are yet.
    fn content(&self) -> &[u8] {
        let gathered = self.bytes.get(..self.max_bytes).unwrap_or(&self.bytes);
        let content = gathered.strip_prefix(UTF8_MARK).unwrap_or(gathered);
        let breaks = content.iter().take_while(|byte| is_line_break(**byte)).count();
        content.get(breaks..).unwrap_or_default()
    }

    /// Everything before the first line break outside quotes.
    fn header_line(&self) -> &[u8] {
        let content = self.content();
        let mut is_quoted = false;
        let end = content.iter().position(|byte| {
            is_quoted ^= *byte == b'"';
            !is_quoted && is_line_break(*byte)
        });
        content.get(..end.unwrap_or(content.len())).unwrap_or_default()
    }

    /// The file's delimiter, and its beginning without the byte order mark.
    pub(crate) fn finish(&mut self) -> (u8, Vec<u8>) {
        let delimiter = sniff(self.header_line());
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.starts_with(UTF8_MARK) {
            bytes.drain(..UTF8_MARK.len());
        }
        (delimiter, bytes)
    }
}

const fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// The delimiter under which the header line has a column `company_id`, or else
/// the one that splits it most.
fn sniff(header_line: &[u8]) -> u8 {
    let fit = |delimiter: u8| {
        let mut is_quoted = false;
        let columns: Vec<&[u8]> = header_line
            .split(|byte| {
                is_quoted ^= *byte == b'"';
                !is_quoted && *byte == delimiter
            })
            .collect();
        let has_company_id = columns.iter().any(|column| {
            let name = column.trim_ascii();
            let name = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name);
            name.trim_ascii().eq_ignore_ascii_case(b"company_id")
        });
        (has_company_id, columns.len())
    };
    // `max_by_key` takes the last of equals.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| fit(*delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_splits_off_company_id() {
        for (header, delimiter) in [
            (&b"company_id,name"[..], b','),
            (b"company_id;name", b';'),
            (b"company_id\tname;a;b;c", b'\t'),
            (b"note, free, text;\"Company_ID\"", b';'),
            (b"\"a;b;c;d\",x,y", b','),
            (b"company_id", b','),
            (b"", b','),
        ] {
            assert_eq!(sniff(header) as char, delimiter as char, "{}", String::from_utf8_lossy(header));
        }
    }

    #[test]
    fn a_byte_order_mark_is_dropped_even_if_it_comes_in_pieces() {
        let mut head = CsvHead::new(100);
        for piece in [&b"\xef"[..], b"\xbb\xbf", b"\r\nid;x"] {
            assert_eq!(head.push(piece), Ok(false));
        }
        assert_eq!(head.push(b"\r"), Ok(true));
        assert_eq!(head.finish(), (b';', b"\r\nid;x\r".to_vec()));
    }

    #[test]
    fn a_line_break_inside_quotes_does_not_end_the_header() {
        let mut head = CsvHead::new(100);
        assert_eq!(head.push(b"company_id,\"a\n"), Ok(false));
        assert_eq!(head.push(b"b\"\n"), Ok(true));
    }

    #[test]
    fn empty_lines_are_not_gathered_for_ever() {
        let mut head = CsvHead::new(100);
        assert_eq!(head.push(&[b'\n'; 99]), Ok(false));
        assert_eq!(head.push(b"\n"), Ok(true));
    }

    #[test]
    fn two_byte_characters_are_refused() {
        assert_eq!(CsvHead::new(100).push(b"\xff\xfec\0o\0"), Err(InvalidFile::Utf16));
    }
}
