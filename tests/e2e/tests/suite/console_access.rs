//! Signing in to the console as a browser does, at a real provider and by token.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};
use e2e::{
    binaries::Build,
    openid::OpenIdProvider,
    process::{ANY_PORT, Process},
    secured::Secured,
    suite::ACTIVITYCTL,
};
use reqwest::{
    Client, Method, StatusCode, Url,
    header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE},
    redirect::Policy,
};
use tempfile::TempDir;

/// A browser: it keeps the cookies of each host, and follows redirects when it is told to.
struct Browser {
    client: Client,
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug)]
struct Page {
    url: Url,
    status: StatusCode,
    location: Option<Url>,
    text: String,
}

impl Browser {
    fn new() -> Result<Self> {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build()?;
        Ok(Self { client, cookies: BTreeMap::new() })
    }

    async fn send(&mut self, method: Method, url: Url, form: Option<&[(&str, &str)]>) -> Result<Page> {
        let host = url.authority().to_owned();
        let cookies = self.cookies.entry(host).or_default();
        let jar: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, url.clone()).header(COOKIE, jar.join("; "));
        if let Some(fields) = form {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let origin = url.origin().ascii_serialization();
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            request = request.header(ORIGIN, origin).body(body);
        }
        let answer = request.send().await?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie without a name")?;
            if value.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = answer.headers().get(LOCATION).map(|value| anyhow::Ok(url.join(value.to_str()?)?));
        let location = location.transpose()?;
        Ok(Page { url, status: answer.status(), location, text: answer.text().await? })
    }

    /// Opens an address, and whatever it leads to.
    async fn open(&mut self, url: &str) -> Result<Page> {
        let page = self.send(Method::GET, url.parse()?, None).await?;
        self.follow(page).await
    }

    async fn follow(&mut self, mut page: Page) -> Result<Page> {
        for _ in 0..20 {
            let Some(location) = page.location.take() else { return Ok(page) };
            page = self.send(Method::GET, location, None).await?;
        }
        anyhow::bail!("it leads nowhere: {page:?}")
    }

    /// Sends a form of a page.
    async fn submit(&mut self, page: &Page, path: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let token =
            page.text.split_once("name=\"form_token\" value=\"").and_then(|(_, rest)| rest.split('"').next());
        let mut all = fields.to_vec();
        all.extend(token.map(|token| ("form_token", token)));
        let page = self.send(Method::POST, page.url.join(path)?, Some(&all)).await?;
        self.follow(page).await
    }
}

fn file(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

#[tokio::test]
async fn people_sign_in_at_the_provider_and_are_known_by_the_services() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let provider = OpenIdProvider::start(&folder.path().join("keys.json")).await?;
    let policy = format!(
        "issuers:\n  - {{name: people, issuer: \"{}\", audiences: [console]}}\n\
         grants:\n  - {{issuer: people, claim: groups, contains: readers, roles: [reader]}}\n\
         \x20 - {{issuer: people, claim: groups, contains: operators, roles: [operator]}}\n",
        provider.issuer()
    );
    fs::write(folder.path().join("access.yaml"), policy)?;
    let warehouse = format!("sqlite://{}", file(&folder, "warehouse.sqlite"));
    let arguments =
        ["--warehouse-url", &warehouse, "--access-file", &file(&folder, "access.yaml")].map(str::to_owned);
    let activity = Process::start(Build::Current, "activity", ANY_PORT, arguments, &[]).await?;
    let console = Process::start(
        Build::Current,
        "console",
        ANY_PORT,
        ["--activity-url", &activity.url(), "--coordinator-url", &activity.url()].into_iter().chain([
            "--oidc-issuer",
            provider.issuer(),
            "--oidc-client-id",
            "console",
            "--oidc-allow-private",
        ]),
        &[],
    )
    .await?;

    let mut browser = Browser::new()?;
    let page = browser.open(&console.url()).await?;
    assert!(page.url.path() == "/sign-in" && page.text.contains("/sign-in/provider"), "{page:?}");
    let page = browser.open(&format!("{}/sign-in/provider", console.url())).await?;
    assert!(page.url.as_str().starts_with(provider.issuer()), "{page:?}");
    let page = browser.submit(&page, page.url.path(), &[("login", "olga")]).await?;
    assert_eq!((page.url.path(), page.status), ("/", StatusCode::OK), "{page:?}");
    assert!(page.text.contains("people:olga"), "{page:?}");

    let page = browser.submit(&page, "/sign-out", &[]).await?;
    assert!(page.text.contains("signed out"), "{page:?}");
    let page = browser.open(&console.url()).await?;
    assert_eq!(page.url.path(), "/sign-in", "{page:?}");
    Ok(())
}

#[tokio::test]
async fn the_console_beside_the_suite_asks_who_looks_by_the_same_policy() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let secured = Secured::new()?;
    let arguments = [
        "standalone",
        "--data-dir",
        &file(&folder, "data"),
        "--product-api-url",
        "http://127.0.0.1:1",
        "--access-file",
        &secured.file("access.yaml").display().to_string(),
        "--console-listen",
        "127.0.0.1:0",
    ]
    .map(str::to_owned);
    let mut suite = Process::start(Build::Current, ACTIVITYCTL, ANY_PORT, arguments, &[]).await?;
    let console = suite.pages_url().await?;
    let mut browser = Browser::new()?;
    let page = browser.open(&console).await?;
    assert_eq!(page.url.path(), "/sign-in", "{page:?}");
    let refused = browser.submit(&page, "/sign-in/token", &[("token", "activity_x")]).await?;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{refused:?}");
    let token = fs::read_to_string(secured.token_file("reader"))?;
    let page = browser.submit(&page, "/sign-in/token", &[("token", token.trim())]).await?;
    assert!(page.status == StatusCode::OK && page.text.contains("token:reader"), "{page:?}");
    assert!(!suite.log().contains(token.trim()));
    Ok(())
}
