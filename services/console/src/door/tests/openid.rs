//! Signing in at a provider.

use axum::http::StatusCode;
use chrono::TimeDelta;
use futures::FutureExt as _;
use runtime::Clock as _;
use serde_json::json;

use super::{
    provider::TestProvider,
    support::{Browser, House, TestClock, on_loopback},
};
use crate::{config::Options, door::ProviderOptions};

const COOKIE: &str = "console-sign-in";

struct Company {
    provider: TestProvider,
    house: House,
}

impl Company {
    async fn new() -> Self {
        let clock = TestClock::new();
        let provider = TestProvider::start(clock.clone()).await;
        let options = options(&provider);
        let policy = format!(
            "issuers:\n  - {{name: people, issuer: \"{}\", audiences: [console], leeway: 0s, allow_private: true}}\n\
             grants:\n  - {{identity: \"people:ada\", roles: [reader, operator]}}\n",
            provider.issuer()
        );
        let house = House::with_policy(&options, on_loopback(), clock, &policy);
        Self { provider, house }
    }

    /// Sends a browser to the provider and back.
    async fn return_path(&self, browser: &mut Browser) -> String {
        let page = browser.get("/sign-in/provider?return_to=/runs").await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        self.provider.sign_in(page.location())
    }

    async fn signed_in(&self) -> Browser {
        let mut browser = self.house.browser();
        let path = self.return_path(&mut browser).await;
        let page = browser.get(&path).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/runs"));
        browser
    }

    /// What somebody is told who is not signed in.
    async fn refusal(&self, browser: &mut Browser, path: &str) -> String {
        let page = browser.get(path).await;
        assert!(page.status.is_client_error(), "{} {}", page.status, page.text);
        assert!(!browser.cookies.contains_key("console-session"));
        assert!(!browser.cookies.contains_key(COOKIE), "good for one return");
        assert!(!page.text.contains("code-") && !page.text.contains("opaque"), "{}", page.text);
        page.text
    }
}

fn options(provider: &TestProvider) -> Options {
    let provider = ProviderOptions {
        oidc_issuer: Some(provider.issuer().parse().unwrap()),
        oidc_client_id: Some("console".to_owned()),
        oidc_allow_private: true,
        ..ProviderOptions::default()
    };
    Options { provider, ..Options::default() }
}

#[tokio::test]
async fn a_visitor_signs_in_at_the_provider_and_is_who_it_says() {
    let company = Company::new().await;
    let mut browser = company.signed_in().await;
    let page = browser.get("/runs").await;
    assert!(page.text.starts_with("people:ada operator=true"), "{}", page.text);
    // Signing out leads to the provider's own end, by a link.
    let page = browser.post("/sign-out", &[("form_token", &page.form_token())]).await;
    let end = format!("{}/end?client_id=console", company.provider.issuer());
    assert!(page.text.contains(&end), "{}", page.text);
}

#[tokio::test]
async fn a_sign_in_is_finished_once_in_the_browser_that_began_it() {
    let company = Company::new().await;
    let mut browser = company.house.browser();
    let path = company.return_path(&mut browser).await;
    let kept = browser.cookies.clone();

    // Somebody else's browser, with no sign-in begun and with one of its own (login CSRF).
    let text = company.refusal(&mut company.house.browser(), &path).await;
    assert!(text.contains("not begun in this browser"), "{text}");
    let mut other = company.house.browser();
    company.return_path(&mut other).await;
    let text = company.refusal(&mut other, &path).await;
    assert!(text.contains("not begun here"), "{text}");

    assert_eq!(browser.get(&path).await.status, StatusCode::SEE_OTHER);
    // The same address again, and with the cookie of before.
    assert_eq!(browser.get(&path).await.status, StatusCode::BAD_REQUEST);
    let mut replay = company.house.browser();
    replay.cookies = kept;
    let text = company.refusal(&mut replay, &path).await;
    assert!(text.contains("invalid_grant"), "{text}");
}

#[tokio::test]
async fn what_the_provider_says_must_be_of_this_sign_in() {
    let company = Company::new().await;
    let past = company.house.clock.now().timestamp() - 1_000;
    for (lies, reason) in [
        (json!({"nonce": "of another sign-in"}), "nonce"),
        (json!({"aud": "payroll"}), "audience"),
        (json!({"iss": "https://evil.example"}), "issuer"),
        (json!({"exp": past}), "expired"),
    ] {
        company.provider.lie(lies.clone());
        let mut browser = company.house.browser();
        let path = company.return_path(&mut browser).await;
        let text = company.refusal(&mut browser, &path).await;
        assert!(text.to_lowercase().contains(reason), "{lies}: {text}");
    }
    // Services have the last word.
    company.provider.lie(json!({"sub": "mallory"}));
    let mut browser = company.signed_in().await;
    assert!(browser.get("/").await.text.starts_with("people:mallory operator=false"));
}

#[tokio::test]
async fn a_forged_state_an_error_and_another_provider_are_refused() {
    let company = Company::new().await;
    for change in [
        |path: &str| path.replace("state=", "state=x"),
        |path: &str| path.split_once("&state").unwrap().0.to_owned(),
        |path: &str| path.replace("code=code-", "error=access_denied%3Cscript%3E&x="),
        |path: &str| format!("{path}&iss=https://evil.example"),
        |path: &str| path.replace("code=code-", "code=other-"),
    ] {
        let mut browser = company.house.browser();
        let path = change(&company.return_path(&mut browser).await);
        let text = company.refusal(&mut browser, &path).await;
        assert!(text.contains("Signing in did not work") && !text.contains("<script>"), "{text}");
    }
    let mut browser = company.house.browser();
    let path = company.return_path(&mut browser).await;
    company.house.clock.advance(TimeDelta::minutes(11));
    assert!(company.refusal(&mut browser, &path).await.contains("too long ago"));
}

#[tokio::test]
async fn a_session_outlives_its_token_as_long_as_the_provider_renews_it() {
    let company = Company::new().await;
    let mut browser = company.signed_in().await;
    for renewals in 1..=3 {
        company.house.clock.advance(TimeDelta::seconds(290));
        assert_eq!(browser.get("/").await.status, StatusCode::OK);
        assert_eq!(company.provider.renewals(), renewals);
    }
    company.provider.refuse_to_renew();
    company.house.clock.advance(TimeDelta::seconds(290));
    assert_eq!(browser.get("/").await.status, StatusCode::OK, "the token has seconds left");
    company.house.clock.advance(TimeDelta::seconds(20));
    assert_eq!(browser.get("/runs").await.location(), "/sign-in?return_to=%2Fruns");
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER, "the session has ended");
}

#[tokio::test]
async fn a_session_waits_for_a_provider_that_does_not_answer() {
    let company = Company::new().await;
    let mut browser = company.signed_in().await;
    company.provider.set_down(true);
    company.house.clock.advance(TimeDelta::seconds(310));
    assert_eq!(browser.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    company.provider.set_down(false);
    assert_eq!(browser.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE, "it is not asked at once");
    assert_eq!(company.provider.renewals(), 0);
    company.house.clock.advance(TimeDelta::seconds(5));
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    assert_eq!(company.provider.renewals(), 1);
}

#[tokio::test]
async fn a_browser_that_leaves_during_a_renewal_loses_nothing() {
    let company = Company::new().await;
    company.provider.rotate_refresh_tokens();
    let mut browser = company.signed_in().await;
    company.house.clock.advance(TimeDelta::seconds(310));
    let mut leaving = Box::pin(browser.get("/"));
    while company.provider.renewals() == 0 {
        assert!(leaving.as_mut().now_or_never().is_none(), "it left too late");
        tokio::task::yield_now().await;
    }
    drop(leaving);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    assert_eq!(company.provider.renewals(), 1);
    company.house.clock.advance(TimeDelta::seconds(310));
    assert_eq!(browser.get("/").await.status, StatusCode::OK, "the new refresh token was kept");
    assert_eq!(company.provider.renewals(), 2);
}

#[tokio::test]
async fn the_console_works_without_its_provider_and_with_its_new_keys() {
    let company = Company::new().await;
    company.provider.set_down(true);
    let mut browser = company.house.browser();
    let page = browser.get("/sign-in/provider").await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    assert!(!page.text.contains("/.well-known") && !page.text.contains("503"), "{}", page.text);
    assert!(page.text.contains("does not answer") && page.text.contains("name=\"token\""), "{}", page.text);
    company.provider.set_down(false);
    company.signed_in().await;

    company.provider.rotate_key();
    company.house.clock.advance(TimeDelta::seconds(60));
    let mut browser = company.house.browser();
    let path = company.return_path(&mut browser).await;
    assert_eq!(browser.get(&path).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn providers_are_asked_where_that_is_allowed() {
    let clock = TestClock::new();
    let provider = TestProvider::start(clock).await;
    let mut inside = options(&provider);
    inside.provider.oidc_allow_private = false;
    let problem = House::open(&inside, on_loopback()).err().unwrap();
    assert!(format!("{problem:#}").contains("--oidc-allow-private"), "{problem:#}");
    inside.provider.oidc_issuer = Some("http://login.example.com".parse().unwrap());
    let problem = House::open(&inside, on_loopback()).err().unwrap();
    assert!(format!("{problem:#}").contains("https://"), "{problem:#}");
    let mut without = options(&provider);
    "profile email".clone_into(&mut without.provider.oidc_scopes);
    let problem = House::open(&without, on_loopback()).err().unwrap();
    assert!(format!("{problem:#}").contains("openid"), "{problem:#}");
}
