//! Lines with their numbers, from chunks of bytes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use domain::{Rejection, RejectionReason, SourceRow};
use futures::Stream;

/// How much of a line that is too long is kept to identify it, in bytes.
const START_BYTES: usize = 256;

/// Splits a stream of chunks into lines, which end in LF or CRLF.
///
/// Yields every line, empty ones included; text after the last line break counts only
/// if it is not empty. A line that is too long or not UTF-8 is an item like any other,
/// and reading continues after it. An error of the chunks ends the stream. The chunk
/// size and the line limit bound the memory.
#[derive(Debug)]
pub struct NumberedLines<S> {
    chunks: S,
    chunk: Bytes,
    line: Vec<u8>,
    number: u64,
    bytes_taken: u64,
    max_line_bytes: usize,
    is_too_long: bool,
    is_done: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedLine {
    /// From 1.
    pub number: u64,
    /// The line without its line break.
    pub text: Result<String, LineError>,
}

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The line is longer than allowed.
    #[error("the line is longer than {max_bytes} bytes")]
    TooLong {
        /// The longest allowed line, in bytes.
        max_bytes: usize,
        /// The line's start, unreadable bytes replaced.
        start: String,
    },
    /// The line is not UTF-8.
    #[error("the line is not UTF-8")]
    InvalidUtf8 {
        /// The line, unreadable bytes replaced.
        lossy: String,
    },
}

impl NumberedLine {
    /// The row that `parse` makes of the line, or the rejection.
    pub fn into_row<T>(self, parse: impl FnOnce(&str) -> Result<T, RejectionReason>) -> SourceRow<T> {
        let line = self.number;
        match self.into_text() {
            Ok(text) => match parse(&text) {
                Ok(row) => SourceRow::Accepted { line, row },
                Err(reason) => SourceRow::Rejected(Rejection::new(line, reason, &text)),
            },
            Err(rejection) => SourceRow::Rejected(rejection),
        }
    }

    /// The line's text.
    ///
    /// # Errors
    /// The rejection of an unreadable line.
    pub fn into_text(self) -> Result<String, Rejection> {
        let line = self.number;
        self.text.map_err(|error| {
            let reason = RejectionReason::Malformed(error.to_string());
            let (LineError::TooLong { start: raw, .. } | LineError::InvalidUtf8 { lossy: raw }) = error;
            Rejection::new(line, reason, &raw)
        })
    }
}

impl<S> NumberedLines<S> {
    /// The lines of `chunks`, each at most `max_line_bytes` long.
    pub const fn new(chunks: S, max_line_bytes: usize) -> Self {
        Self {
            chunks,
            chunk: Bytes::new(),
            line: Vec::new(),
            number: 0,
            bytes_taken: 0,
            max_line_bytes,
            is_too_long: false,
            is_done: false,
        }
    }

    /// Bytes of the chunks consumed so far.
    pub const fn bytes_taken(&self) -> u64 {
        self.bytes_taken
    }

    /// The next line that ends within the buffer.
    fn take_line(&mut self) -> Option<NumberedLine> {
        let end = self.chunk.iter().position(|byte| *byte == b'\n');
        let part = self.chunk.split_to(end.unwrap_or(self.chunk.len()));
        self.append(&part);
        end?;
        self.chunk.advance(1);
        Some(self.end_line())
    }

    fn append(&mut self, part: &[u8]) {
        // One more than allowed, because a CR may turn out to be part of the line break.
        let room = (self.max_line_bytes + 1).saturating_sub(self.line.len());
        let (kept, cut) = part.split_at(part.len().min(room));
        self.line.extend_from_slice(kept);
        self.is_too_long |= !cut.is_empty();
    }

    fn end_line(&mut self) -> NumberedLine {
        let is_cut = std::mem::take(&mut self.is_too_long);
        if !is_cut && self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        self.number += 1;
        let line = std::mem::take(&mut self.line);
        let text = if is_cut || line.len() > self.max_line_bytes {
            let start = line.get(..START_BYTES.min(line.len())).unwrap_or_default();
            let start = String::from_utf8_lossy(start).into_owned();
            Err(LineError::TooLong { max_bytes: self.max_line_bytes, start })
        } else {
            String::from_utf8(line).map_err(|error| LineError::InvalidUtf8 {
                lossy: String::from_utf8_lossy(error.as_bytes()).into_owned(),
            })
        };
        NumberedLine { number: self.number, text }
    }
}

impl<S, E> Stream for NumberedLines<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<NumberedLine, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(line) = this.take_line() {
                return Poll::Ready(Some(Ok(line)));
            }
            if this.is_done {
                let rest = (!this.line.is_empty()).then(|| Ok(this.end_line()));
                return Poll::Ready(rest);
            }
            match ready!(Pin::new(&mut this.chunks).poll_next(cx)) {
                Some(Ok(chunk)) => {
                    this.bytes_taken += chunk.len() as u64;
                    this.chunk = chunk;
                }
                Some(Err(error)) => {
                    this.is_done = true;
                    this.line.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                None => this.is_done = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{TryStreamExt, executor::block_on, stream};
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]], max_line_bytes: usize) -> Vec<NumberedLine> {
        let chunks =
            stream::iter(chunks.iter().map(|chunk| Ok::<_, Infallible>(Bytes::copy_from_slice(chunk))));
        block_on(NumberedLines::new(chunks, max_line_bytes).try_collect()).unwrap()
    }

    fn texts(chunks: &[&[u8]]) -> Vec<(u64, String)> {
        lines(chunks, 100).into_iter().map(|line| (line.number, line.text.unwrap())).collect()
    }

    #[test]
    fn lines_span_chunks_and_keep_their_numbers() {
        let expected = [(1, "one".into()), (2, String::new()), (3, "three".into()), (4, "last".into())];
        assert_eq!(texts(&[b"on", b"e\r", b"\n\nthree\n", b"", b"la", b"st"]), expected);
        assert_eq!(texts(&[b"one\n\nthree\nlast\n"]), expected);
        assert_eq!(texts(&[]), []);
    }

    #[test]
    fn a_bad_line_does_not_hide_the_lines_behind_it() {
        let read = lines(&[b"12345", b"67890\n", b"ab\xffc\nok\n"], 6);
        let start = "1234567".to_owned();
        assert_eq!(read[0].text, Err(LineError::TooLong { max_bytes: 6, start }));
        assert_eq!(read[1].text, Err(LineError::InvalidUtf8 { lossy: "ab\u{fffd}c".to_owned() }));
        assert_eq!(read[2], NumberedLine { number: 3, text: Ok("ok".to_owned()) });
    }

    #[test]
    fn a_line_of_exactly_the_allowed_length_is_no_error() {
        for text in [&b"123456\n"[..], b"123456\r\n", b"123456"] {
            assert_eq!(lines(&[text], 6)[0].text, Ok("123456".to_owned()));
        }
        assert!(lines(&[b"1234567\r\n"], 6)[0].text.is_err());
    }

    #[test]
    fn a_line_becomes_a_row_or_a_rejection_with_its_number() {
        let number =
            |text: &str| text.parse::<u32>().map_err(|error| RejectionReason::Malformed(error.to_string()));
        let rows: Vec<SourceRow<u32>> =
            lines(&[b"1\nx\n1234567\n\xff"], 6).into_iter().map(|line| line.into_row(number)).collect();
        let rejected = |line, reason: &str, raw| {
            SourceRow::Rejected(Rejection::new(line, RejectionReason::Malformed(reason.to_owned()), raw))
        };
        assert_eq!(
            rows,
            [
                SourceRow::Accepted { line: 1, row: 1 },
                rejected(2, "invalid digit found in string", "x"),
                rejected(3, "the line is longer than 6 bytes", "1234567"),
                rejected(4, "the line is not UTF-8", "\u{fffd}"),
            ]
        );
    }

    #[test]
    fn bytes_are_counted_as_chunks_are_taken() {
        let chunks = stream::iter(
            [b"one\ntw", &b"o\n"[..]].map(|chunk| Ok::<_, Infallible>(Bytes::from_static(chunk))),
        );
        let mut lines = NumberedLines::new(chunks, 100);
        let mut taken = vec![lines.bytes_taken()];
        while block_on(futures::StreamExt::next(&mut lines)).is_some() {
            taken.push(lines.bytes_taken());
        }
        assert_eq!(taken, [0, 6, 8]);
    }

    #[test]
    fn an_error_of_the_chunks_ends_the_lines() {
        let chunks = stream::iter([Ok(Bytes::from_static(b"one\nhalf")), Err("gone")]);
        let mut lines = NumberedLines::new(chunks, 100);
        let mut next = || block_on(futures::StreamExt::next(&mut lines));
        assert!(next().unwrap().is_ok());
        assert_eq!(next(), Some(Err("gone")));
        assert_eq!(next(), None);
    }

    proptest! {
        #[test]
        fn where_chunks_end_makes_no_difference(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..80),
            cut in 1usize..9,
        ) {
            let chunks: Vec<&[u8]> = bytes.chunks(cut).collect();
            prop_assert_eq!(lines(&chunks, 10), lines(&[&bytes], 10));
        }
    }
}
