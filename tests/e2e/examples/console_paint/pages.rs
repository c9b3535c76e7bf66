//! The pages of the console, as somebody looks at them on a day with many companies.

use domain::DateWindow;

/// A page to look at.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) path: String,
}

/// Every page that shows published numbers, and some of their filters.
pub(crate) fn all(companies: usize, window: DateWindow) -> Vec<Page> {
    let (day, company) = (window.end(), format!("company-{:06}", companies / 2));
    let page = |name, path| Page { name, path };
    vec![
        page("overview", "/".to_owned()),
        page("runs", "/runs".to_owned()),
        page("day", format!("/days/{day}")),
        page("companies", "/companies".to_owned()),
        page("companies, by name", format!("/companies?text=Company+{}", companies / 3)),
        page("company", format!("/companies/{company}")),
        page("company, explained", format!("/companies/{company}?explain={day}")),
        page("churn", "/churn".to_owned()),
        page("quality", "/quality".to_owned()),
    ]
}
