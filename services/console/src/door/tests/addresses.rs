//! Under which addresses the console answers, and what every answer says.

use axum::http::{Method, StatusCode, header};
use runtime::Served;

use super::support::{House, for_all, on_loopback, with_public_url};
use crate::config::Options;

#[tokio::test]
async fn it_answers_to_its_own_addresses_alone() {
    let house = House::open(&with_public_url("https://console.example.com"), on_loopback()).unwrap();
    for own in ["localhost:50080", "LOCALHOST", "127.0.0.1:50080", "127.1.2.3", "[::1]:8080", "localhost"] {
        assert_eq!(house.browser_at(own).get("/").await.status, StatusCode::OK, "{own}");
    }
    for foreign in [
        "evil.example",
        "localhost.evil.example:50080",
        "127.0.0.1.evil.example",
        "10.0.0.7:50080",
        "console.example.com.evil.example",
        "console.example.com:8443",
        "localhost@evil.example",
        "evil.example@localhost",
    ] {
        let page = house.browser_at(foreign).get("/").await;
        assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST, "{foreign}");
        assert!(page.text.contains("--console-public-url"), "{}", page.text);
        assert!(page.set_cookie("console-form").is_none());
    }
}

#[tokio::test]
async fn every_answer_tells_browsers_to_trust_nothing_else() {
    let house = House::open(&Options::default(), on_loopback()).unwrap();
    let mut browser = house.browser();
    let mut pages =
        vec![browser.get("/").await, browser.get("/sign-in").await, browser.get("/nowhere").await];
    pages.push(browser.post("/runs", &[]).await);
    pages.push(house.browser_at("evil.example").get("/").await);
    for page in pages {
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"));
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert_eq!(page.headers["referrer-policy"], "same-origin");
        assert_eq!(page.headers["cross-origin-opener-policy"], "same-origin");
        assert!(page.headers.contains_key("permissions-policy"));
        assert_eq!(page.headers["cache-control"], "no-store");
        assert!(!page.headers.contains_key("strict-transport-security"));
        assert!(!page.text.contains("style=") && !page.text.contains("onclick"), "{}", page.text);
    }
}

#[tokio::test]
async fn others_see_nothing_while_the_services_ask_nobody() {
    let public = with_public_url("https://console.example.com");
    let shown = async |options: &Options, served: Served, host: &str| {
        let page = House::open(options, served).unwrap().browser_at(host).get("/").await;
        if page.status == StatusCode::FORBIDDEN {
            assert!(page.text.contains("--allow-unauthenticated") && page.text.contains("--access-file"));
        }
        page.status == StatusCode::OK
    };
    assert!(shown(&Options::default(), on_loopback(), "localhost").await);
    assert!(!shown(&Options::default(), for_all(), "localhost").await);
    assert!(!shown(&public, on_loopback(), "console.example.com").await, "a proxy passes others on");
    assert!(!shown(&public, for_all(), "console.example.com").await);
    let waived = Served { allow_unauthenticated: true, ..for_all() };
    assert!(shown(&public, waived, "console.example.com").await);

    // A proxy on this machine that calls the console by its loopback address.
    let house = House::open(&Options::default(), on_loopback()).unwrap();
    for header in ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"] {
        let page = house.browser().send(Method::GET, "/", &[(header, "10.0.0.7")], String::new()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{header}");
    }
}
