//! A bar inside a table, for a number that stands beside it.

use maud::{Markup, html};

/// A bar whose length is the share of `value` in `greatest`. It says nothing that the number
/// does not, so readers of the screen skip it.
#[expect(clippy::cast_precision_loss, reason = "a bar is a hundred units long")]
pub(crate) fn share(value: i64, greatest: i64) -> Markup {
    let length = (value.max(0) as f64 * 100.0 / greatest.max(1) as f64).min(100.0);
    html! {
        svg.share viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            rect.bar width=(format!("{length:.1}")) height="8" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert!(share(5, 20).into_string().contains(r#"width="25.0""#));
        assert!(share(0, 0).into_string().contains(r#"width="0.0""#));
        assert!(share(9, 3).into_string().contains(r#"width="100.0""#));
    }
}
