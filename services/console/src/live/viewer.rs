//! One who looks.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{future::BoxFuture, stream};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::Frame;

/// How often something is sent, so that nothing between here and the browser takes the
/// connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often a viewer has to show again that they may look.
const AUTHORISED_FOR: Duration = Duration::from_secs(60);
/// What browsers ignore.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");
/// How long browsers wait before they come again, in milliseconds.
const RETRY: Bytes = Bytes::from_static(b"retry: 2000\n\n");

/// One who looks, and has been let in.
pub(crate) struct Viewer {
    pub(crate) states: watch::Receiver<Option<Frame>>,
    /// Asks whether they still may look.
    pub(crate) may_look: Box<dyn Fn() -> BoxFuture<'static, bool> + Send>,
    pub(crate) shutdown: CancellationToken,
}

/// Sends states until the last one, until the viewer may no longer look, or until shutdown. The
/// body is asked for more when the connection has room: whoever is slow gets the newest state
/// next, and misses those between.
pub(crate) fn stream(viewer: Viewer) -> Response {
    let timer = |period| {
        let mut timer = interval(period);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        timer.reset();
        timer
    };
    let following = Following {
        viewer,
        keep_alive: timer(KEEP_ALIVE),
        authorisation: timer(AUTHORISED_FOR),
        is_over: false,
    };
    let first = stream::iter([Ok::<_, Infallible>(RETRY)]);
    let rest = stream::unfold(following, |mut following| async {
        following.next().await.map(|bytes| (Ok(bytes), following))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(stream::StreamExt::chain(first, rest))).into_response()
}

struct Following {
    viewer: Viewer,
    keep_alive: Interval,
    authorisation: Interval,
    is_over: bool,
}

impl Following {
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        loop {
            let Viewer { states, may_look, shutdown } = &mut self.viewer;
            tokio::select! {
                () = shutdown.cancelled() => return None,
                _ = self.authorisation.tick() => if !may_look().await { return None },
                changed = states.changed() => {
                    changed.ok()?;
                    let Some(frame) = states.borrow_and_update().clone() else { continue };
                    self.is_over = frame.is_last;
                    self.keep_alive.reset();
                    return Some(frame.bytes());
                }
                _ = self.keep_alive.tick() => return Some(COMMENT),
            }
        }
    }
}
