//! Signing in and out.

use axum::{
    Extension, Router,
    extract::{Form, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use axum_extra::extract::cookie::CookieJar;
use maud::{Markup, html};
use secret::Secret;
use serde::Deserialize;
use tracing::{info, warn};

use super::{
    Door, Entry,
    caller::{self, Asked},
    cookies::{self, SESSION, SIGN_IN},
    local_path,
    provider::{Begun, PATIENCE, Provider, Returned},
    session::Tokens,
};
use crate::{
    failure::Failure,
    html::{form, layout},
    site::Console,
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/sign-in", get(show))
        .route("/sign-in/token", post(by_token))
        .route("/sign-in/provider", get(by_provider))
        .route("/sign-in/return", get(returned))
        .route("/sign-out", post(sign_out))
}

#[derive(Deserialize)]
struct Destination {
    #[serde(default)]
    return_to: String,
}

/// `GET /sign-in`
async fn show(
    State(Console { door, .. }): State<Console>,
    Extension(entry): Extension<Entry>,
    Query(to): Query<Destination>,
) -> Response {
    let return_to = local_path::checked(&to.return_to);
    let problem = door.is_open().await.then(|| Problem::NothingToSignInTo.to_string());
    page(&door, &entry, &return_to, problem.as_deref()).into_response()
}

#[derive(Deserialize)]
struct TokenForm {
    token: String,
    #[serde(default)]
    return_to: String,
}

/// `POST /sign-in/token`
async fn by_token(
    State(Console { door, .. }): State<Console>,
    Extension(entry): Extension<Entry>,
    headers: HeaderMap,
    Form(form): Form<TokenForm>,
) -> Result<Response, Failure> {
    let return_to = local_path::checked(&form.return_to);
    // People copy the header with it.
    let token = form.token.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    let refused = |status: StatusCode, problem: &str| {
        Ok((status, page(&door, &entry, &return_to, Some(problem))).into_response())
    };
    let Ok(token) = token.parse::<Secret>() else {
        return refused(StatusCode::BAD_REQUEST, "Paste a token.");
    };
    match begin(&door, &entry, &headers, Tokens::pasted(token)).await {
        Ok(jar) => Ok((jar, Redirect::to(&return_to)).into_response()),
        Err(problem) => refused(problem.status(), &problem.to_string()),
    }
}

/// `GET /sign-in/provider`
async fn by_provider(
    State(Console { door, .. }): State<Console>,
    Extension(entry): Extension<Entry>,
    headers: HeaderMap,
    Query(to): Query<Destination>,
) -> Result<Response, Failure> {
    let return_to = local_path::checked(&to.return_to);
    let provider = door.provider()?;
    may_begin(&door, &entry).map_err(|problem| Failure::Forbidden(problem.to_string()))?;
    let (url, begun) = match provider.begin(&entry.origin.url(), return_to.clone()).await {
        Ok(begun) => begun,
        Err(problem) => {
            warn!(%problem, "cannot send a visitor to the provider");
            let problem = "The provider does not answer now. Try again in a moment, or sign in with a token.";
            let page = page(&door, &entry, &return_to, Some(problem));
            return Ok((StatusCode::BAD_GATEWAY, page).into_response());
        }
    };
    let remembered = serde_json::to_string(&begun).map_err(|error| Failure::Invalid(error.to_string()))?;
    let mut cookie = cookies::of_browser(&entry.origin, SIGN_IN, remembered);
    cookie.set_max_age(PATIENCE.to_std().ok().and_then(|time| time.try_into().ok()));
    Ok((door.seals(&headers).add(cookie), Redirect::to(url.as_str())).into_response())
}

/// `GET /sign-in/return`: the provider sends the visitor back.
async fn returned(
    State(Console { door, .. }): State<Console>,
    Extension(entry): Extension<Entry>,
    headers: HeaderMap,
    Query(returned): Query<Returned>,
) -> Result<Response, Failure> {
    let provider = door.provider()?;
    let seals = door.seals(&headers);
    let cookie = seals.get(&entry.origin.cookie_name(SIGN_IN));
    // Gone whatever comes of it: each is good for one return.
    let seals = seals.remove(cookies::removal(&entry.origin, SIGN_IN));
    let begun = cookie.and_then(|cookie| serde_json::from_str::<Begun>(cookie.value()).ok());
    let refused = |status: StatusCode, return_to: &str, problem: &str| {
        (status, page(&door, &entry, return_to, Some(problem)))
    };
    let Some(begun) = begun else {
        let problem = "This sign-in was not begun in this browser, or is over already: begin again.";
        return Ok((seals, refused(StatusCode::BAD_REQUEST, "/", problem)).into_response());
    };
    let return_to = begun.return_to.clone();
    let tokens = match provider.finish(begun, returned).await {
        Ok(tokens) => tokens,
        Err(problem) => {
            warn!(%problem, address = entry.address(), "a sign-in at the provider has failed");
            let problem = format!("Signing in did not work: {}. Begin again.", problem.in_general());
            return Ok((seals, refused(StatusCode::BAD_REQUEST, &return_to, &problem)).into_response());
        }
    };
    Ok(match begin(&door, &entry, &headers, tokens).await {
        Ok(jar) => (seals, jar, Redirect::to(&return_to)).into_response(),
        Err(problem) => (seals, refused(problem.status(), &return_to, &problem.to_string())).into_response(),
    })
}

/// `POST /sign-out`
async fn sign_out(
    State(Console { door, .. }): State<Console>,
    Extension(entry): Extension<Entry>,
) -> Response {
    let mut at_provider = None;
    if let Some(session) = &entry.session {
        door.0.sessions.end(session);
        info!(caller = session.name(), address = entry.address(), "signed out");
        if let (Some(provider), true) = (&door.0.provider, session.is_of_provider().await) {
            at_provider = provider.end_session_url().await;
        }
    }
    let body = html! {
        section.empty {
            p { "You are signed out of the console." }
            @if let Some(url) = at_provider {
                p { a href=(url) rel="noreferrer" { "Sign out of the provider as well" } }
            }
            p { a.button href="/sign-in" { "Sign in again" } }
        }
    };
    let jar = CookieJar::new().add(cookies::removal(&entry.origin, SESSION));
    (jar, layout::page_for_nobody("Signed out", &body)).into_response()
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(
        "This console is served without TLS, and others could read and reuse your session: open it by https://, or \
         on its own machine."
    )]
    SessionInTheClear,
    #[error(
        "Your token would travel in the clear to the services: let the console call them by https://, or allow it \
         with --token-over-plain-text."
    )]
    TokenInTheClear,
    #[error("The services ask nobody who they are, so there is nothing to sign in to.")]
    NothingToSignInTo,
    #[error(
        "The services do not accept this token. Why, they do not tell strangers: it is in the console's log."
    )]
    Refused,
    #[error("The services cannot check the token now. Try again in a moment.")]
    Unavailable,
}

impl Problem {
    const fn status(&self) -> StatusCode {
        match self {
            Self::SessionInTheClear | Self::TokenInTheClear => StatusCode::FORBIDDEN,
            Self::NothingToSignInTo => StatusCode::CONFLICT,
            Self::Refused => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Whether anybody may sign in here: neither session nor token travels in the clear.
fn may_begin(door: &Door, entry: &Entry) -> Result<(), Problem> {
    if !entry.origin.is_fit_for_sessions() {
        return Err(Problem::SessionInTheClear);
    }
    let backend = &door.0.backend;
    if [&backend.coordinator, &backend.activity].into_iter().any(|one| !one.is_fit_for_tokens()) {
        return Err(Problem::TokenInTheClear);
    }
    Ok(())
}

/// Signs somebody in whose token the services accept. A session that the browser had is over.
async fn begin(
    door: &Door,
    entry: &Entry,
    headers: &HeaderMap,
    tokens: Tokens,
) -> Result<CookieJar, Problem> {
    may_begin(door, entry)?;
    let asked = match tokens.credential() {
        Ok(credential) => caller::ask(&door.0.backend, &credential).await,
        Err(status) => Err(status),
    };
    let caller = match asked {
        Ok(caller) if caller.is_anonymous => return Err(Problem::NothingToSignInTo),
        Ok(caller) => caller,
        Err(status) => {
            warn!(%status, address = entry.address(), "a sign-in is refused: the services do not take its token");
            let is_refused = caller::is_unauthenticated(&status);
            return Err(if is_refused { Problem::Refused } else { Problem::Unavailable });
        }
    };
    if let Some(before) = &entry.session {
        door.0.sessions.end(before);
    }
    info!(caller = caller.name, address = entry.address(), "signed in");
    let id = door.0.sessions.begin(tokens, caller, door.now());
    Ok(CookieJar::from_headers(headers).add(cookies::of_browser(&entry.origin, SESSION, id)))
}

impl Door {
    fn provider(&self) -> Result<&Provider, Failure> {
        let missing = || Failure::NotFound("No provider is configured: sign in with a token.".to_owned());
        self.0.provider.as_deref().ok_or_else(missing)
    }

    /// Whether the services ask nobody, as far as is known.
    async fn is_open(&self) -> bool {
        let asked = self.0.unasked.ask(&self.0.backend, &*self.0.clock).await;
        matches!(asked, Ok(Asked::Caller(caller)) if caller.is_anonymous)
    }
}

fn page(door: &Door, entry: &Entry, return_to: &str, problem: Option<&str>) -> Markup {
    let hindrance = may_begin(door, entry).err();
    let provider = door.0.provider.as_ref().map(|provider| {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", return_to).finish();
        (provider.host(), format!("/sign-in/provider?{query}"))
    });
    let body = html! {
        section.sign-in {
            @if let Some(problem) = problem {
                p.problem role="alert" { (problem) }
            }
            @if let Some(session) = &entry.session {
                p { "You are signed in as " strong { (session.name()) } ". " a href=(return_to) { "Go on" } " or sign in as somebody else." }
                form method="post" action="/sign-out" {
                    (form::token(&entry.form_token))
                    button type="submit" { "Sign out" }
                }
            }
            @if let Some(hindrance) = &hindrance {
                @if problem.is_none() {
                    p.problem role="alert" { (hindrance) }
                }
            } @else {
                @if let Some((host, address)) = &provider {
                    p { a.button href=(address) { "Sign in with " (host) } }
                }
                form method="post" action="/sign-in/token" autocomplete="off" {
                    (form::token(&entry.form_token))
                    input type="hidden" name="return_to" value=(return_to);
                    p {
                        label for="token" { "Token" }
                        input #token type="password" name="token" required autocomplete="off" spellcheck="false"
                            aria-describedby="token-help";
                    }
                    p #token-help.note {
                        "A token that the services accept: of your identity provider, or one of the policy file's static \
                         tokens. What you may see and do is what it may."
                    }
                    button type="submit" { "Sign in" }
                }
            }
        }
    };
    layout::page_for_nobody("Sign in", &body)
}
