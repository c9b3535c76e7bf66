//! Tables: with a caption and scopes, in an order that links choose, in pages.

use maud::{Markup, html};

use super::address::{Address, PAGE};

/// The head of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    is_number: bool,
    /// By which value of `sort` rows are ordered by this column.
    sort: Option<&'static str>,
}

/// A column of texts.
pub(crate) const fn text(title: &'static str) -> Column {
    Column { title, is_number: false, sort: None }
}

/// A column of numbers.
pub(crate) const fn number(title: &'static str) -> Column {
    Column { title, is_number: true, sort: None }
}

impl Column {
    /// Rows can be ordered by it.
    pub(crate) const fn sorted_by(self, sort: &'static str) -> Self {
        Self { sort: Some(sort), ..self }
    }
}

/// In which order rows are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    /// The address of the list.
    pub(crate) address: &'a Address,
    /// The value of `sort`.
    pub(crate) by: &'a str,
    /// Whether the greatest comes first.
    pub(crate) descending: bool,
}

impl Order<'_> {
    /// The address of the list in the order of a column; in the other direction if it has that order.
    fn link(&self, column: Column, sort: &str) -> Address {
        // Who orders by a number looks for the greatest, who orders by a text reads from A.
        let descending = if self.by == sort { !self.descending } else { column.is_number };
        let direction = if descending { "descending" } else { "ascending" };
        self.address.first_page().with("sort", sort).with("direction", direction)
    }

    fn state(&self, sort: &str) -> Option<&'static str> {
        (self.by == sort).then_some(if self.descending { "descending" } else { "ascending" })
    }
}

/// A table whose rows are in a fixed order.
pub(crate) fn table(caption: &str, columns: &[Column], rows: &Markup) -> Markup {
    framed(caption, columns, None, rows)
}

/// A table whose order is chosen by links in its head.
pub(crate) fn sorted(caption: &str, columns: &[Column], order: Order<'_>, rows: &Markup) -> Markup {
    framed(caption, columns, Some(order), rows)
}

fn framed(caption: &str, columns: &[Column], order: Option<Order<'_>>, rows: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for column in columns { (head(*column, order)) } } }
                tbody { (rows) }
            }
        }
    }
}

fn head(column: Column, order: Option<Order<'_>>) -> Markup {
    let class = column.is_number.then_some("number");
    let (Some(order), Some(sort)) = (order, column.sort) else {
        return html! { th scope="col" class=[class] { (column.title) } };
    };
    let state = order.state(sort);
    html! {
        th scope="col" class=[class] aria-sort=[state] {
            a href=(order.link(column, sort)) {
                (column.title)
                @match state {
                    Some("descending") => span aria-hidden="true" { " ↓" },
                    Some(_) => span aria-hidden="true" { " ↑" },
                    None => {}
                }
            }
        }
    }
}

/// Links to the first and the next page of a list; nothing if all of it is shown.
pub(crate) fn pager(address: &Address, next_page_token: &str) -> Markup {
    pager_of("Pages of the list", PAGE, address, next_page_token)
}

/// As [`pager`] where a page has several lists: of the one whose page is in this field.
pub(crate) fn pager_of(name: &str, field: &str, address: &Address, next_page_token: &str) -> Markup {
    let first = address.without(field);
    let is_first = first == *address;
    html! {
        @if !is_first || !next_page_token.is_empty() {
            nav.pages aria-label=(name) {
                @if !is_first { a href=(first) rel="first" { "First page" } }
                @if next_page_token.is_empty() {
                    span.note { "This is the last page." }
                } @else {
                    a href=(address.with(field, next_page_token)) rel="next" { "Next page" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::of(&text.parse().unwrap())
    }

    #[test]
    fn heads_order_the_whole_list_from_its_first_page() {
        let address = address("/companies?text=x&page=abc&sort=events&direction=descending");
        let order = Order { address: &address, by: "events", descending: true };
        let columns =
            [text("Company").sorted_by("company"), number("Events").sorted_by("events"), text("Country")];
        let shown = sorted("Companies", &columns, order, &html! {}).into_string();
        assert!(
            shown.contains(r#"<a href="/companies?text=x&amp;sort=company&amp;direction=ascending">"#),
            "{shown}"
        );
        assert!(shown.contains(r#"aria-sort="descending"><a href="/companies?text=x&amp;sort=events&amp;direction=ascending">"#), "{shown}");
        assert!(shown.contains(r#"<th scope="col">Country</th>"#), "{shown}");
        assert!(shown.contains("<caption>Companies</caption>"), "{shown}");
    }

    #[test]
    fn a_pager_is_there_when_there_are_pages() {
        assert_eq!(pager(&address("/churn"), "").into_string(), "");
        let first = pager(&address("/churn?change=new"), "t/1").into_string();
        assert!(first.contains(r#"href="/churn?change=new&amp;page=t%2F1""#), "{first}");
        assert!(!first.contains("First page"), "{first}");
        let last = pager(&address("/churn?change=new&page=t"), "").into_string();
        assert!(last.contains(r#"href="/churn?change=new""#) && last.contains("last page"), "{last}");
    }
}
