//! What the forms of several pages have in common.

use maud::{Markup, html};

use super::address::Address;
use crate::fields::Fields;

/// The field that proves that whoever sends a form has read it.
pub(crate) const FORM_TOKEN: &str = "form_token";

/// What each form of an action sends back, so that no other site can send it.
pub(crate) fn token(form_token: &str) -> Markup {
    html! { input type="hidden" name=(FORM_TOKEN) value=(form_token); }
}

/// The fields of the address that a form does not ask for itself.
pub(crate) fn kept(address: &Address, asked: &[&str]) -> Markup {
    html! {
        @for (name, value) in address.kept(asked) { input type="hidden" name=(name) value=(value); }
    }
}

/// A box to tick. Ticked it stands for these flags of the command below the form, if any.
pub(crate) fn tick(fields: &Fields, name: &str, flags: Option<&str>, words: &str) -> Markup {
    html! {
        label.choice {
            input type="checkbox" name=(name) value="yes" checked[fields.is_set(name)] data-flag=[flags];
            (words)
        }
    }
}

/// The box for days that are refused otherwise, folded away because few need it.
pub(crate) fn far_days(fields: &Fields, flags: Option<&str>) -> Markup {
    const NAME: &str = "beyond_reach";
    html! {
        details open[fields.is_set(NAME)] {
            summary { "Days far from everything published" }
            (tick(fields, NAME, flags, "Run them all the same"))
            p.note { "Such days are refused otherwise: most are a mistyped year." }
        }
    }
}
