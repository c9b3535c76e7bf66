//! Forms that were not sent by a page of the console, or not by somebody who may.

use axum::http::{Method, StatusCode};

use super::support::{Browser, House, OPERATOR, READER, encoded, on_loopback, token};
use crate::config::Options;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn signed_in(house: &House, digit: char) -> (Browser, String) {
    let mut browser = house.browser();
    browser.sign_in(&token(digit), "/").await;
    let form = browser.get("/").await.form_token();
    (browser, form)
}

#[tokio::test]
async fn an_operator_acts_and_a_reader_does_not() {
    let house = House::asking(&Options::default(), on_loopback());
    let (mut browser, form) = signed_in(&house, OPERATOR).await;
    let page = browser.post("/runs", &[("form_token", &form), ("what", "a run")]).await;
    assert_eq!((page.status, page.text.as_str()), (StatusCode::OK, "token:olga did a run"));
    let page = browser.post("/runs", &[("form_token", &form)]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "a field is missing");

    let (mut browser, form) = signed_in(&house, READER).await;
    let page = browser.post("/runs", &[("form_token", &form), ("what", "a run")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("token:rita may not do this: that takes the role operator"), "{}", page.text);
}

#[tokio::test]
async fn a_form_without_the_visitors_own_token_is_refused() {
    let house = House::asking(&Options::default(), on_loopback());
    let (mut browser, form) = signed_in(&house, OPERATOR).await;
    let (_, of_another) = signed_in(&house, OPERATOR).await;
    for forged in ["", "x", &of_another, &form[1..], &format!("{form}x")] {
        let page = browser.post("/runs", &[("form_token", forged), ("what", "x")]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{forged}");
        assert!(page.text.contains("nothing was done"), "{}", page.text);
    }
    assert_eq!(browser.post("/runs", &[("what", "x")]).await.status, StatusCode::FORBIDDEN);
    // In the address it would be in logs and bookmarks, and does not count.
    let page = browser.post(&format!("/runs?form_token={form}"), &[("what", "x")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_form_of_another_site_is_refused_even_with_the_token() {
    let house = House::asking(&Options::default(), on_loopback());
    let (mut browser, form) = signed_in(&house, OPERATOR).await;
    let body = encoded(&[("form_token", &form), ("what", "x")]);
    let foreign = [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "https://localhost:50080"),
        ("origin", "http://localhost:50081"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
    ];
    for header in foreign {
        let page = browser.send(Method::POST, "/runs", &[FORM, header], body.clone()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{header:?}");
        assert!(page.text.contains("Another site"), "{}", page.text);
    }
    let page = browser.send(Method::POST, "/runs", &[FORM], body).await;
    assert_eq!(page.status, StatusCode::OK, "a program that has read the form");
}

#[tokio::test]
async fn only_forms_of_a_bounded_size_are_read_and_only_by_post() {
    let house = House::asking(&Options::default(), on_loopback());
    let (mut browser, form) = signed_in(&house, OPERATOR).await;
    let body = encoded(&[("form_token", &form), ("what", "x")]);
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let page = browser.send(method, "/runs", &[FORM], body.clone()).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
        let page = browser.send(Method::POST, "/runs", &[("content-type", kind)], body.clone()).await;
        assert_eq!(page.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let long = format!("{body}&more={}", "x".repeat(64 * 1024));
    let page = browser.send(Method::POST, "/runs", &[FORM], long).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn visitors_whom_nobody_asks_have_forms_of_their_own_too() {
    let house = House::open(&Options::default(), on_loopback()).unwrap();
    let mut browser = house.browser();
    let page = browser.get("/").await;
    assert!(page.text.starts_with("anonymous operator=true"), "{}", page.text);
    let form = page.form_token();
    let page = browser.post("/runs", &[("form_token", &form), ("what", "a run")]).await;
    assert_eq!(page.text, "anonymous did a run");
    // The token without the cookie, and the cookie of one with the token of another.
    let page = house.browser().post("/runs", &[("form_token", &form), ("what", "x")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let mut other = house.browser();
    other.get("/").await;
    assert_eq!(
        other.post("/runs", &[("form_token", &form), ("what", "x")]).await.status,
        StatusCode::FORBIDDEN
    );
    // Nobody can make a cookie for a token of their own.
    let mut forger = house.browser();
    forger.cookies.insert("console-form".to_owned(), "mine".to_owned());
    assert_eq!(
        forger.post("/runs", &[("form_token", "mine"), ("what", "x")]).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn other_sites_link_here_but_load_nothing_as_a_part_of_their_pages() {
    let house = House::open(&Options::default(), on_loopback()).unwrap();
    let mut browser = house.browser();
    let loads = [("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("no-cors", "script")];
    for site in ["cross-site", "same-site"] {
        for (mode, kind) in loads {
            for method in [Method::GET, Method::HEAD] {
                let headers = [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", kind)];
                let page = browser.send(method, "/", &headers, String::new()).await;
                assert_eq!(page.status, StatusCode::FORBIDDEN, "{headers:?}");
            }
        }
        let link = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(browser.send(Method::GET, "/", &link, String::new()).await.status, StatusCode::OK);
    }
    let own = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
    assert_eq!(browser.send(Method::GET, "/", &own, String::new()).await.status, StatusCode::OK);
}
