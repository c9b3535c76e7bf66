//! Cookies: what they are called, and who may read them.

use axum::http::HeaderMap;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use openidconnect::CsrfToken;

use super::origin::Origin;

/// The session's id.
pub(super) const SESSION: &str = "console-session";

/// The token of forms for those without a session, sealed.
pub(super) const FORM: &str = "console-form";

/// What a sign-in has to remember until the provider sends the visitor back, sealed.
pub(super) const SIGN_IN: &str = "console-sign-in";

/// 256 random bits, as text.
pub(super) fn random() -> String {
    CsrfToken::new_random_len(32).into_secret()
}

pub(super) fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    CookieJar::from_headers(headers).get(name).map(|cookie| cookie.value().to_owned())
}

/// A cookie that lasts until the browser is closed, or its session ends. No script can read it,
/// and no other site's form sends it.
///
/// `Lax`, because `Strict` cookies stay at home when a link or a redirect from another site
/// leads here: the provider's could not be finished, and every link in a chat would ask to
/// sign in. What `Lax` lets through are requests that change nothing.
pub(super) fn of_browser(origin: &Origin, name: &str, value: String) -> Cookie<'static> {
    Cookie::build((origin.cookie_name(name), value))
        .path("/")
        .http_only(true)
        .secure(origin.is_secure())
        .same_site(SameSite::Lax)
        .build()
}

/// Removes a cookie: a browser keeps one of that prefix only if it is like the one that was set.
pub(super) fn removal(origin: &Origin, name: &str) -> Cookie<'static> {
    let mut cookie = of_browser(origin, name, String::new());
    cookie.make_removal();
    cookie
}
