//! Signing in with a token, and what becomes of a session.

use axum::http::StatusCode;
use chrono::TimeDelta;

use super::support::{House, OPERATOR, READER, for_all, on_loopback, token, with_public_url};
use crate::config::Options;

const SESSION: &str = "console-session";

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_sign_in_and_comes_back_to_where_they_were() {
    let house = House::asking(&Options::default(), on_loopback());
    let mut browser = house.browser();
    let page = browser.get("/runs?state=failed").await;
    assert_eq!(
        (page.status, page.location()),
        (StatusCode::SEE_OTHER, "/sign-in?return_to=%2Fruns%3Fstate%3Dfailed")
    );
    let page = browser.sign_in(&token(READER), "/runs?state=failed").await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/runs?state=failed"));
    let page = browser.get("/runs").await;
    assert!(page.text.starts_with("token:rita operator=false"), "{}", page.text);
    for elsewhere in ["https://evil.example/", "//evil.example/", "/\\evil.example"] {
        let page = house.browser().sign_in(&token(READER), elsewhere).await;
        assert_eq!(page.location(), "/", "{elsewhere}");
    }
}

#[tokio::test]
async fn what_is_no_good_token_opens_nothing_and_is_not_repeated() {
    let house = House::asking(&Options::default(), on_loopback());
    for bad in [token('c'), "activity_xyz".to_owned(), "e30.e30.e30".to_owned(), "zwei wörter\n".to_owned()]
    {
        let mut browser = house.browser();
        let page = browser.sign_in(&bad, "/").await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{}", page.text);
        assert!(page.text.contains("do not accept this token"), "{}", page.text);
        assert!(!page.text.contains(bad.trim()), "{}", page.text);
        assert!(!browser.cookies.contains_key(SESSION));
    }
    let page = house.browser().sign_in("  ", "/").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_session_has_a_cookie_that_no_script_and_no_other_site_can_use() {
    let house = House::asking(&Options::default(), on_loopback());
    let page = house.browser().sign_in(&token(READER), "/").await;
    let cookie = page.set_cookie(SESSION).unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "a browser would not send it back: {cookie}");

    let house = House::asking(&with_public_url("https://console.example.com"), for_all());
    // The port goes without saying, and a program may say it.
    let mut browser = house.browser_at("console.example.com:443");
    let form = browser.get("/sign-in").await.form_token();
    let fields = super::support::encoded(&[("form_token", &form), ("token", &token(READER))]);
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://console.example.com")];
    let page = browser.send(axum::http::Method::POST, "/sign-in/token", &headers, fields).await;
    let cookie = page.set_cookie("__Host-console-session").unwrap();
    assert!(cookie.contains("Secure") && cookie.contains("HttpOnly"), "{cookie}");
    assert_eq!(page.headers["strict-transport-security"], "max-age=31536000");
}

#[tokio::test]
async fn nobody_can_put_a_session_into_the_browser_of_somebody_else() {
    let house = House::asking(&Options::default(), on_loopback());
    let mut attacker = house.browser();
    attacker.sign_in(&token(READER), "/").await;
    let planted = attacker.cookies[SESSION].clone();

    // With a session of the attacker, and with an id that never was one.
    for id in [planted.clone(), "A".repeat(43)] {
        let mut victim = house.browser();
        victim.cookies.insert(SESSION.to_owned(), id.clone());
        victim.sign_in(&token(OPERATOR), "/").await;
        assert_ne!(victim.cookies[SESSION], id);
        assert!(victim.get("/").await.text.starts_with("token:olga"));
    }
    // The planted session is over, and knows nothing of the new one.
    assert_eq!(attacker.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn signing_out_ends_the_session_also_for_those_who_kept_its_id() {
    let house = House::asking(&Options::default(), on_loopback());
    let mut browser = house.browser();
    browser.sign_in(&token(OPERATOR), "/").await;
    let kept = browser.cookies.clone();
    let form = browser.get("/").await.form_token();
    let page = browser.post("/sign-out", &[("form_token", &form)]).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!browser.cookies.contains_key(SESSION), "{:?}", browser.cookies);
    let mut thief = house.browser();
    thief.cookies = kept;
    assert_eq!(thief.get("/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        thief.post("/runs", &[("form_token", &form), ("what", "x")]).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_soon_and_a_token_at_once_where_a_service_is_asked() {
    let house = House::asking(&Options::default(), on_loopback());
    let mut browser = house.browser();
    browser.sign_in(&token(OPERATOR), "/").await;
    let page = browser.get("/").await;
    assert!(page.text.contains("operator=true"));
    let form = page.form_token();
    house.grant("static_tokens_file: tokens\ngrants: [{identity: \"token:olga\", roles: [reader]}]\n");
    house.clock.advance(TimeDelta::seconds(31));
    assert!(browser.get("/").await.text.contains("operator=false"));
    let page = browser.post("/runs", &[("form_token", &form), ("what", "x")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("takes the role operator"), "{}", page.text);

    // A service that does not know the visitor any more ends the session.
    assert_eq!(browser.get("/unknown-visitor").await.location(), "/sign-in?return_to=%2Funknown-visitor");
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);

    let page = browser.get("/denied").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("that takes the role x") && page.text.contains("/sign-in"), "{}", page.text);
}

#[tokio::test]
async fn a_token_that_is_taken_away_ends_its_session() {
    let house = House::asking(&Options::default(), on_loopback());
    let mut browser = house.browser();
    browser.sign_in(&token(READER), "/").await;
    house.grant("grants: [{identity: \"dns:nobody.example\", roles: [reader]}]\n");
    house.clock.advance(TimeDelta::seconds(31));
    assert_eq!(browser.get("/runs").await.location(), "/sign-in?return_to=%2Fruns");
}

#[tokio::test]
async fn nobody_signs_in_where_others_could_read_the_session() {
    let options = with_public_url("http://console.example.com");
    let problem = House::open(&options, for_all()).err().unwrap().to_string();
    assert!(problem.contains("--allow-unauthenticated") && problem.contains("https://"), "{problem}");
    let served = runtime::Served { allow_unauthenticated: true, ..for_all() };
    let house = House::asking(&options, served);
    let mut browser = house.browser_at("console.example.com");
    let page = browser.get("/sign-in").await;
    assert!(
        page.text.contains("served without TLS") && !page.text.contains("name=\"token\""),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn no_cookie_and_no_page_holds_a_token() {
    let house = House::asking(&Options::default(), on_loopback());
    let mut browser = house.browser();
    browser.sign_in(&token(OPERATOR), "/").await;
    for path in ["/", "/sign-in", "/denied", "/nowhere"] {
        let page = browser.get(path).await;
        assert!(
            !page.text.contains(&token(OPERATOR)) && !format!("{:?}", page.headers).contains("activity_")
        );
    }
    assert!(browser.cookies.values().all(|value| !value.contains("activity_")));
    let credential = crate::backend::Credential::bearer(&token(OPERATOR).parse().unwrap());
    assert!(!format!("{credential:?}").contains("activity_"), "{credential:?}");
}
