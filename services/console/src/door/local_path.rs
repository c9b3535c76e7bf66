//! Addresses of this site, to return to after signing in.

use axum::http::Uri;
use url::Url;

/// The most bytes of an address to return to.
const LONGEST: usize = 1024;

/// Where a request went.
pub(super) fn of(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), |path| checked(path.as_str()))
}

/// `path`, if it leads to a page of this site; the first page otherwise. Browsers take `//host`,
/// and backslashes, for another host, so it is read as they read it.
pub(super) fn checked(path: &str) -> String {
    let home = || "/".to_owned();
    // It travels in a cookie, and browsers keep none that is too long.
    if path.len() > LONGEST {
        return home();
    }
    let Ok(base) = Url::parse("http://console.invalid/") else { return home() };
    let Ok(url) = base.join(path) else { return home() };
    // Dots are gone by now, and may have left two slashes.
    let is_here = path.starts_with('/') && url.origin() == base.origin() && !url.path().starts_with("//");
    // Signing in leads no further than where it began.
    if !is_here || url.path().starts_with("/sign-in") || url.path().starts_with("/assets/") {
        return home();
    }
    let path = url.path();
    url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_this_site_is_returned_to() {
        for path in ["/", "/runs?state=failed&page=2", "/companies/a%2Fb%20c?explain=2026-01-01"] {
            assert_eq!(checked(path), path);
        }
        assert_eq!(checked("/runs#part"), "/runs");
        assert_eq!(checked(&format!("/runs?{}", "x".repeat(LONGEST))), "/");
    }

    #[test]
    fn no_other_site_is() {
        for path in [
            "",
            "runs",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "///evil.example",
            "/.//evil.example",
            "/runs/..//evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/sign-in?return_to=/",
            "/assets/console.js",
        ] {
            assert_eq!(checked(path), "/", "{path:?}");
        }
    }
}
