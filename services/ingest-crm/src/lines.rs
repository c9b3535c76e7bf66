//! Counts physical lines across chunks.

/// Counts lines as an editor does: LF, CRLF and a lone CR each end one, even inside quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineCounter {
    current: u64,
    after_cr: bool,
}

impl LineCounter {
    pub(crate) const fn new() -> Self {
        Self { current: 1, after_cr: false }
    }

    /// The line of the next byte, from 1.
    pub(crate) const fn current(self) -> u64 {
        self.current
    }

    pub(crate) fn advance(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let ends_line = *byte == b'\r' || (*byte == b'\n' && !self.after_cr);
            self.current += u64::from(ends_line);
            self.after_cr = *byte == b'\r';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_break_counts_once_wherever_chunks_end() {
        let mut lines = LineCounter::new();
        for chunk in [&b"a\nb\r"[..], b"\nc\rd", b"\n\n"] {
            lines.advance(chunk);
        }
        assert_eq!(lines.current(), 6);
    }
}
