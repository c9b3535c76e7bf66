//! A state as it goes over the wire.

use bytes::Bytes;
use maud::Markup;

/// A state, encoded as a server-sent event once and shared by all who look.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    event: Bytes,
    /// Whether no other state follows.
    pub(crate) is_last: bool,
}

impl Frame {
    /// The rendered state.
    pub(crate) fn new(html: &Markup, is_last: bool) -> Self {
        // A line break would end the field; a browser puts the lines together again.
        let lines: String =
            html.0.lines().map(|line| format!("data: {}\n", line.replace('\r', " "))).collect();
        let end = if is_last { "event: ended\ndata:\n\n" } else { "" };
        Self { event: Bytes::from(format!("event: state\n{lines}\n{end}")), is_last }
    }

    /// The bytes, which are those of every other copy.
    pub(crate) fn bytes(&self) -> Bytes {
        self.event.clone()
    }
}

#[cfg(test)]
mod tests {
    use maud::html;

    use super::*;

    #[test]
    fn line_breaks_cannot_end_a_field() {
        let frame = Frame::new(&html! { p { "one\r\ntwo\n\nevent: ended\rthree" } }, false);
        assert_eq!(
            frame.bytes(),
            "event: state\ndata: <p>one\ndata: two\ndata: \ndata: event: ended three</p>\n\n"
        );
        let last = Frame::new(&html! { "done" }, true);
        assert_eq!(last.bytes(), "event: state\ndata: done\n\nevent: ended\ndata:\n\n");
    }
}
