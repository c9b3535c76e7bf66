//! Text from sources, normalised to the one form in which it is stored.
//!
//! Texts that look alike must be equal, or one customer becomes two: an `é` as one
//! character or two, a byte order mark that concatenating files left in the middle, a
//! no-break space at the end. Case is kept, because it distinguishes companies.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Normalises identifiers and names for storage: composed (NFC), without invisible
/// format characters and surrounding white space.
#[must_use]
pub fn settled(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text.trim());
    }
    let composed: String = text.chars().filter(|c| !is_format(*c)).nfc().collect();
    Cow::Owned(composed.trim().to_owned())
}

/// The first invisible character that [`settled`] keeps because it may be significant.
#[must_use]
pub fn invisible(text: &str) -> Option<char> {
    text.chars().find(|c| is_invisible(*c))
}

/// Format characters: zero-width spaces and joiners, direction marks, soft hyphens,
/// byte order marks. Those drawn around digits are visible and do not count.
fn is_format(c: char) -> bool {
    let is_drawn = matches!(
        c,
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{110bd}' | '\u{110cd}'
    );
    c.general_category() == GeneralCategory::Format && !is_drawn
}

/// Unicode's default-ignorable characters, apart from format characters, and blanks
/// that Unicode does not count as white space.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2028}'..='\u{2029}'
            | '\u{2065}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_look_alike_become_equal() {
        for (text, expected) in [
            ("  acme\t", "acme"),
            ("\u{feff}acme", "acme"),
            ("ac\u{200b}me\u{200f}", "acme"),
            ("\u{a0}\u{3000}acme\u{2003}\u{85}", "acme"),
            ("\u{2060} \u{feff} acme \u{ad}", "acme"),
            ("Cafe\u{301}", "Café"),
            ("Cafe\u{200d}\u{301}", "Café"),
            ("\u{212b}ngstrom", "\u{c5}ngstrom"),
            ("ACME", "ACME"),
            ("株式会社\u{3000}日本", "株式会社\u{3000}日本"),
            ("\u{feff}\u{200b}", ""),
        ] {
            assert_eq!(settled(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_invisible_and_may_mean_something_is_found() {
        assert_eq!(invisible("a\u{3164}b"), Some('\u{3164}'));
        assert_eq!(invisible("a\u{fe0f}"), Some('\u{fe0f}'));
        assert_eq!(invisible("Łódź 日本 🦀"), None);
    }

    proptest! {
        #[test]
        fn settled_text_is_settled(text in "\\PC{0,20}|[ a-c\u{301}\u{200b}\u{feff}\u{a0}\u{e9}]{0,12}|.{0,20}") {
            let once = settled(&text).into_owned();
            prop_assert_eq!(settled(&once), once.as_str());
        }
    }
}
