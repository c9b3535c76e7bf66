//! Who gets in: every request passes here before a page sees it.

mod asked_once;
mod caller;
mod cookies;
mod form;
mod headers;
mod local_path;
mod origin;
mod provider;
mod session;
mod sign_in;

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::{Key, PrivateCookieJar};
use chrono::{DateTime, Utc};
use runtime::{Clock, Peer, Served};
use tokio_util::sync::CancellationToken;

pub(crate) use self::form::Operator;
use self::{
    caller::{Asked, Unasked},
    cookies::{FORM, SESSION},
    origin::Origin,
    provider::Provider,
    session::{Session, Sessions},
};
pub use self::{origin::PublicUrl, provider::ProviderOptions};
use crate::{
    backend::{Backend, Credential, Services},
    config::Options,
    failure::{Failure, SignInAgain},
    site::Console,
    visitor::Visitor,
};

/// Lets visitors in, or sends them to sign in. Clones share what it knows.
#[derive(Clone)]
pub(crate) struct Door(Arc<Inner>);

struct Inner {
    backend: Backend,
    clock: Arc<dyn Clock>,
    served: Served,
    public_url: Option<PublicUrl>,
    provider: Option<Arc<Provider>>,
    sessions: Sessions,
    unasked: Unasked,
    /// Seals cookies. Made per process: after a restart everybody signs in again anyway.
    key: Key,
}

/// Whose a request is, where somebody is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Session([u8; 32]),
    /// Of those without a session.
    Address(Option<IpAddr>),
}

/// What the door knows of a request.
#[derive(Clone)]
pub(crate) struct Entry {
    /// The address that the visitor sees.
    origin: Origin,
    session: Option<Arc<Session>>,
    /// What the forms of this visitor have to send back.
    form_token: String,
    /// Where to return to after signing in.
    return_to: String,
    /// Whether a page of the console, or the visitor's own hand, has led here.
    is_own_link: bool,
    /// The browser, or the proxy before it.
    peer: Option<IpAddr>,
    /// Whether a proxy says that it passes somebody else's request on.
    is_forwarded: bool,
}

impl Entry {
    /// Whether a page of the console, or the visitor's own hand, has led here: no other site has.
    pub(crate) const fn is_own_link(&self) -> bool {
        self.is_own_link
    }

    pub(crate) fn whose(&self) -> Whose {
        self.session.as_ref().map_or(Whose::Address(self.peer), |session| Whose::Session(session.key()))
    }

    /// The address for the log.
    fn address(&self) -> String {
        self.peer.map_or_else(|| "unknown".to_owned(), |address| address.to_string())
    }
}

impl Door {
    /// # Errors
    /// If the public URL or the provider's settings cannot be used.
    pub(crate) fn new(
        options: &Options,
        backend: Backend,
        clock: Arc<dyn Clock>,
        served: Served,
    ) -> anyhow::Result<Self> {
        origin::check(options.public_url.as_ref(), served)?;
        Ok(Self(Arc::new(Inner {
            backend,
            clock: clock.clone(),
            served,
            public_url: options.public_url.clone(),
            provider: Provider::new(&options.provider, clock)?.map(Arc::new),
            sessions: Sessions::default(),
            unasked: Unasked::default(),
            key: Key::generate(),
        })))
    }

    /// Forgets sessions that have ended, every minute.
    pub(crate) async fn sweep(self, shutdown: CancellationToken) {
        let mut minutes = tokio::time::interval(Duration::from_mins(1));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = minutes.tick() => self.0.sessions.sweep(self.now()),
            }
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// Whoever sends a request.
    pub(crate) async fn visitor(&self, entry: &Entry) -> Result<Visitor, Failure> {
        let Inner { backend, clock, unasked, sessions, provider, .. } = &*self.0;
        let sign_in = || Failure::SignIn { return_to: entry.return_to.clone() };
        let (caller, credential) = match &entry.session {
            Some(session) => match session.ask(backend, provider.as_ref(), clock).await {
                Ok(asked) => asked,
                Err(status) if caller::is_unauthenticated(&status) => {
                    sessions.end(session);
                    return Err(sign_in());
                }
                Err(status) => return Err(status.into()),
            },
            None => match unasked.ask(backend, &**clock).await? {
                Asked::Caller(caller) => {
                    self.may_come_unasked(entry)?;
                    (caller, Credential::none())
                }
                Asked::MustSignIn => return Err(sign_in()),
            },
        };
        Ok(Visitor {
            name: caller.name,
            is_reader: caller.is_reader,
            is_operator: caller.is_operator,
            is_anonymous: caller.is_anonymous && entry.session.is_none(),
            services: Services::new(backend, &credential),
            form_token: entry.form_token.clone(),
        })
    }

    /// Whoever has sent a request that is still being answered, unless they have signed out since.
    pub(crate) async fn visitor_still(&self, entry: &Entry) -> Result<Visitor, Failure> {
        match &entry.session {
            Some(session) if !self.0.sessions.holds(session, self.now()) => {
                Err(Failure::SignIn { return_to: entry.return_to.clone() })
            }
            _ => self.visitor(entry).await,
        }
    }

    /// Whether what an operator has started may go on: not once the services say that they are none,
    /// or no longer know their token. Whoever has only left is no reason to stop it.
    pub(crate) async fn may_go_on(&self, entry: &Entry) -> bool {
        match &entry.session {
            Some(session) => session.may_operate_still(&self.0.backend, self.now()).await,
            None => match self.visitor(entry).await {
                Ok(visitor) => visitor.is_operator,
                Err(failure) => !matches!(failure, Failure::SignIn { .. }),
            },
        }
    }

    /// Whether visitors may come whom nobody asks who they are. Asked for each request, because
    /// services may come, and get a policy, later.
    fn may_come_unasked(&self, entry: &Entry) -> Result<(), Failure> {
        let served = self.0.served;
        // What a proxy on this machine passes on comes from elsewhere.
        let is_local = served.address.ip().to_canonical().is_loopback()
            && entry.origin.is_loopback()
            && !entry.is_forwarded;
        if served.allow_unauthenticated || is_local {
            return Ok(());
        }
        Err(Failure::Forbidden(
            "The services ask nobody who they are, and others than this machine can reach this console: whoever \
             did could run the pipeline. Name a policy to the services with --access-file, or accept everybody \
             with the console's --allow-unauthenticated."
                .to_owned(),
        ))
    }

    fn seals(&self, headers: &HeaderMap) -> PrivateCookieJar {
        PrivateCookieJar::from_headers(headers, self.0.key.clone())
    }

    fn find_session(&self, headers: &HeaderMap, origin: &Origin) -> Option<Arc<Session>> {
        let id = cookies::read(headers, &origin.cookie_name(SESSION))?;
        self.0.sessions.find(&id, self.now())
    }
}

/// The pages of the door, and the door before `pages`.
pub(crate) fn before(pages: Router<Console>, console: &Console) -> Router<Console> {
    pages
        .merge(sign_in::routes())
        .layer(middleware::from_fn_with_state(console.clone(), pass))
        .layer(middleware::from_fn_with_state(console.clone(), headers::secure))
}

/// Middleware around every page: finds out who sends a request from where, and refuses what
/// another site has made the browser send.
async fn pass(State(console): State<Console>, mut request: Request, next: Next) -> Response {
    let door = &console.door;
    let origin = match door.origin_of(&request) {
        Ok(origin) => origin,
        Err(failure) => return failure.into_response(),
    };
    let session = door.find_session(request.headers(), &origin);
    let seals = door.seals(request.headers());
    let form_cookie = seals.get(&origin.cookie_name(FORM));
    let is_new = session.is_none() && form_cookie.is_none();
    let form_token = match (&session, &form_cookie) {
        (Some(session), _) => session.form_token().to_owned(),
        (None, Some(cookie)) => cookie.value().to_owned(),
        (None, None) => cookies::random(),
    };
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    // What a form has sent cannot be sent again by following a link.
    let return_to = if changes { "/".to_owned() } else { local_path::of(request.uri()) };
    if !changes && let Err(failure) = origin::check_reader(request.headers()) {
        return failure.into_response();
    }
    let is_own_link = origin::is_own_link(&origin, request.headers());
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let is_forwarded = origin::is_forwarded(request.headers());
    let entry = Entry { origin, session, form_token, return_to, is_own_link, peer, is_forwarded };
    if changes {
        request = match form::admit(&entry, request).await {
            Ok(request) => request,
            Err(failure) => return failure.into_response(),
        };
    }
    request.extensions_mut().insert(entry.clone());
    let mut response = next.run(request).await;
    if response.extensions().get::<SignInAgain>().is_some() {
        // A service no longer knows the visitor, whatever it said a moment ago.
        match &entry.session {
            Some(session) => door.0.sessions.end(session),
            None => door.0.unasked.forget().await,
        }
        response = Failure::SignIn { return_to: entry.return_to.clone() }.into_response();
    }
    if is_new && is_page(&response) {
        let cookie = cookies::of_browser(&entry.origin, FORM, entry.form_token);
        return (seals.add(cookie), response).into_response();
    }
    response
}

fn is_page(response: &Response) -> bool {
    let is_html = |kind: &header::HeaderValue| kind.as_bytes().starts_with(b"text/html");
    response.status() != StatusCode::MISDIRECTED_REQUEST
        && response.headers().get(header::CONTENT_TYPE).is_some_and(is_html)
}

#[cfg(test)]
mod tests;
