//! Choices of a filter: a value, companies without one, or any.

use maud::{Markup, html};
use proto::activity::v1::ChurnGroup;

use super::number::thousands;

/// In the address: companies without a value. A form sends an empty field for any.
pub(crate) const WITHOUT: &str = "(none)";

/// What is shown for any.
pub(crate) const ANY: &str = "any";

/// A field of the address as the contract has it: unset for any, empty for none.
pub(crate) fn value(field: &str) -> Option<String> {
    match field {
        "" => None,
        WITHOUT => Some(String::new()),
        value => Some(value.to_owned()),
    }
}

/// A value of the contract as a field of the address.
pub(crate) fn field(value: &str) -> &str {
    if value.is_empty() { WITHOUT } else { value }
}

/// The values that companies have, with how many have each.
pub(crate) fn select(title: &str, name: &str, chosen: &str, groups: &[ChurnGroup]) -> Markup {
    let is_known = chosen.is_empty() || groups.iter().any(|group| field(&group.value) == chosen);
    html! {
        label {
            (title)
            select name=(name) {
                option value="" { (ANY) }
                @for group in groups {
                    @let field = field(&group.value);
                    option value=(field) selected[field == chosen] {
                        (field) " (" (thousands(group.counts.map_or(0, |counts| counts.companies))) ")"
                    }
                }
                // What was asked for stays chosen, also when nothing has it.
                @if !is_known { option value=(chosen) selected { (chosen) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_and_any_value_are_told_apart() {
        assert_eq!(value(""), None);
        assert_eq!(value(WITHOUT), Some(String::new()));
        assert_eq!(value("DE"), Some("DE".to_owned()));
        for text in ["", "DE"] {
            assert_eq!(value(field(text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_value_that_nothing_has_stays_chosen() {
        let shown = select("Country", "country", "Atlantis", &[ChurnGroup::default()]).into_string();
        assert!(shown.contains(r#"<option value="Atlantis" selected>"#), "{shown}");
        assert!(shown.contains(r#"<option value="(none)">(none) (0)</option>"#), "{shown}");
    }
}
