//! What the admin port answers, and whom it lets change the log filter.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use tower::ServiceExt;
use warehouse_core::{ActionEnd, AuditEntry, AuditEntryId, AuditQuery, AuditTrail, Error, NewAuditEntry};

use super::*;

/// A trail that can be full.
#[derive(Default)]
struct Trail {
    actions: Mutex<Vec<NewAuditEntry>>,
    ends: Mutex<Vec<ActionOutcome>>,
    is_full: bool,
}

#[async_trait]
impl AuditTrail for Trail {
    async fn record_action(&self, new: &NewAuditEntry) -> warehouse_core::Result<AuditEntryId> {
        if self.is_full {
            return Err(Error::Precondition("the disk is full".to_owned()));
        }
        self.actions.lock().unwrap().push(new.clone());
        Ok(AuditEntryId(1))
    }

    async fn record_end(&self, _: AuditEntryId, end: &ActionEnd) -> warehouse_core::Result<()> {
        self.ends.lock().unwrap().push(end.outcome);
        Ok(())
    }

    async fn audit_entries(&self, _: &AuditQuery, _: u32) -> warehouse_core::Result<Vec<AuditEntry>> {
        Ok(Vec::new())
    }
}

struct Rig {
    router: Router,
    context: Context,
    _layer: Box<dyn std::any::Any>,
}

fn rig() -> Rig {
    rig_with(None)
}

fn rig_with(token_file: Option<PathBuf>) -> Rig {
    let rig = rig_without_trail(token_file);
    rig.context.audit_in(Arc::new(Trail::default()));
    rig
}

fn rig_without_trail(token_file: Option<PathBuf>) -> Rig {
    let (log_filter, layer) = LogFilter::detached("info");
    let registry = prometheus::Registry::new();
    let counter = prometheus::IntCounter::new("answers_total", "Answers.").unwrap();
    counter.inc();
    registry.register(Box::new(counter)).unwrap();
    let context = Context::new();
    let admin = Admin { process: "transform", context: context.clone(), registry, log_filter, token_file };
    Rig { router: router(admin), context, _layer: Box::new(layer) }
}

async fn ask(rig: &Rig, method: &str, path: &str, body: &str) -> (u16, String) {
    ask_from(rig, "127.0.0.1:7", None, method, path, body).await
}

async fn ask_from(
    rig: &Rig,
    peer: &str,
    authorization: Option<&str>,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String) {
    let peer: SocketAddr = peer.parse().unwrap();
    let mut request = Request::builder().method(method).uri(path).extension(ConnectInfo(peer));
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = rig.router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn probes_distinguish_start_service_and_drain() {
    let rig = rig();
    for (phase, expected) in [
        (Phase::Starting, [200, 503, 503]),
        (Phase::Ready, [200, 200, 200]),
        (Phase::Draining, [200, 200, 503]),
    ] {
        rig.context.lifecycle.enter(phase);
        for (path, status) in ["/livez", "/startupz", "/readyz"].into_iter().zip(expected) {
            assert_eq!(ask(&rig, "GET", path, "").await.0, status, "{path} in {phase:?}");
        }
    }
}

#[tokio::test]
async fn metrics_are_served_as_text() {
    let (status, text) = ask(&rig(), "GET", "/metrics", "").await;
    assert_eq!(status, 200);
    assert!(text.contains("answers_total 1"), "{text}");
}

#[tokio::test]
async fn the_log_filter_can_be_read_and_changed_but_not_to_nonsense() {
    let rig = rig();
    assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "info\n".to_owned()));
    assert_eq!(ask(&rig, "PUT", "/log", "debug\n").await, (200, "debug\n".to_owned()));
    let (status, problem) = ask(&rig, "PUT", "/log", "a=b=c").await;
    assert_eq!(status, 400);
    assert!(problem.contains("is no log filter"), "{problem}");
    assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "debug\n".to_owned()));
}

#[tokio::test]
async fn a_change_of_the_log_filter_is_recorded() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "secret").unwrap();
    let rig = rig_without_trail(Some(file.path().to_owned()));
    let trail = Arc::new(Trail::default());
    rig.context.audit_in(trail.clone());
    ask(&rig, "PUT", "/log", "debug\n").await;
    ask_from(&rig, "192.0.2.7:7", Some("Bearer secret"), "PUT", "/log", "a=b=c").await;
    ask_from(&rig, "192.0.2.7:7", Some("Bearer guess"), "PUT", "/log", "info").await;
    let actions = trail.actions.lock().unwrap();
    let recorded: Vec<_> = actions
        .iter()
        .map(|entry| (entry.actor.as_str(), entry.address.as_deref().unwrap(), entry.details.as_str()))
        .collect();
    assert_eq!(
        recorded,
        [
            ("anonymous", "127.0.0.1:7", "transform: debug"),
            ("admin-token", "192.0.2.7:7", "transform: a=b=c"),
        ]
    );
    assert!(actions.iter().all(|entry| entry.action == OperatorAction::LogLevel));
    assert_eq!(*trail.ends.lock().unwrap(), [ActionOutcome::Succeeded, ActionOutcome::Refused]);
}

#[tokio::test]
async fn a_change_of_the_log_filter_that_cannot_be_recorded_is_refused() {
    let rig = rig_without_trail(None);
    let (status, problem) = ask(&rig, "PUT", "/log", "debug").await;
    assert_eq!(status, 503);
    assert!(problem.contains("the warehouse is not open yet"), "{problem}");
    rig.context.audit_in(Arc::new(Trail { is_full: true, ..Trail::default() }));
    let (status, problem) = ask(&rig, "PUT", "/log", "debug").await;
    assert_eq!(status, 503);
    assert!(problem.contains("the disk is full"), "{problem}");
    assert_eq!(ask(&rig, "GET", "/log", "").await, (200, "info\n".to_owned()));
}

#[tokio::test]
async fn elsewhere_everything_can_be_read_and_nothing_changed() {
    let rig = rig();
    for peer in ["10.0.0.7:7", "[fd00::1]:7", "[::ffff:10.0.0.7]:7"] {
        for path in ["/livez", "/metrics", "/log"] {
            assert_eq!(ask_from(&rig, peer, None, "GET", path, "").await.0, 200, "{path}");
        }
        for authorization in [None, Some("Bearer "), Some("Bearer guess")] {
            let (status, answer) = ask_from(&rig, peer, authorization, "PUT", "/log", "debug").await;
            assert_eq!(status, 403, "{answer}");
        }
    }
    assert_eq!(ask(&rig, "GET", "/log", "").await.1, "info\n");
    for peer in ["[::1]:7", "[::ffff:127.0.0.1]:7"] {
        assert_eq!(ask_from(&rig, peer, None, "PUT", "/log", "debug").await.0, 200, "{peer}");
    }
}

#[tokio::test]
async fn a_token_lets_others_change_the_log_filter_and_may_be_rotated() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let rig = rig_with(Some(file.path().to_owned()));
    let put = async |authorization: Option<String>| {
        ask_from(&rig, "10.0.0.7:7", authorization.as_deref(), "PUT", "/log", "debug").await.0
    };
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    for (token, other) in [("first", "second"), ("second", "first")] {
        std::fs::write(file.path(), format!("{token}\n")).unwrap();
        assert_eq!(put(bearer(token)).await, 200);
        for wrong in [other, "", "firs", "first "] {
            assert_eq!(put(bearer(wrong)).await, 401, "{wrong:?}");
        }
        assert_eq!(put(Some(token.to_owned())).await, 401);
        assert_eq!(put(None).await, 401);
    }
    std::fs::write(file.path(), "").unwrap();
    assert_eq!(put(bearer("")).await, 500);
}

#[tokio::test]
async fn a_body_that_is_no_filter_is_not_read_to_its_end() {
    assert_eq!(ask(&rig(), "PUT", "/log", &"x".repeat(MAX_BODY_BYTES + 1)).await.0, 413);
}
