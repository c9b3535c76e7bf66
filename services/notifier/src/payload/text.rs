//! Cuts texts to a channel's limits.

use std::borrow::Cow;

/// Marks an omission.
const ELLIPSIS: char = '…';

/// As much of `text` as costs at most `limit` under `cost`, with a final
/// ellipsis if something was cut. Never cuts inside a character.
pub(super) fn cut(text: &str, limit: usize, cost: impl Fn(char) -> usize) -> Cow<'_, str> {
    let mut spent = 0;
    let mut kept_with_ellipsis = 0;
    for (at, character) in text.char_indices() {
        if spent + cost(ELLIPSIS) <= limit {
            kept_with_ellipsis = at;
        }
        spent += cost(character);
        if spent > limit {
            let kept = text.get(..kept_with_ellipsis).unwrap_or_default();
            return Cow::Owned(format!("{kept}{ELLIPSIS}"));
        }
    }
    Cow::Borrowed(text)
}

/// The size of a character in a JSON string, in bytes.
pub(super) const fn json_bytes(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(_: char) -> usize {
        1
    }

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(cut("größe", 5, one), "größe");
        assert_eq!(cut("", 0, one), "");
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis_between_characters() {
        assert_eq!(cut("größer", 5, one), "größ…");
        assert_eq!(cut("日本語", 6, char::len_utf8), "日…");
        assert_eq!(cut("日本語", 8, char::len_utf8), "日…");
        assert_eq!(cut("日本語", 9, char::len_utf8), "日本語");
    }

    #[test]
    fn json_costs_are_what_serde_json_writes() {
        for character in ('\0'..='\u{ff}').chain(['…', '語', '🦀']) {
            let written = serde_json::to_string(&character).unwrap();
            assert_eq!(json_bytes(character), written.len() - 2, "{character:?}");
        }
    }
}
