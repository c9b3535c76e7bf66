//! Who asks for an action, and its records in the audit trail and the log.

use std::{net::SocketAddr, sync::Arc};

use access::Caller;
use domain::{ActionOutcome, OperatorAction};
use tls::PeerInfo;
use tonic::Request;
use tracing::{error, info};
use warehouse_core::{ActionEnd, AuditEntryId, AuditTrail, NewAuditEntry};

use crate::clock::Clock;

/// The name of whoever was not asked who they are.
const ANONYMOUS: &str = "anonymous";

/// The most of a text that is recorded: callers choose what requests hold.
const MAX_CHARS: usize = 2_000;

/// Who asks for an action, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// The caller's name.
    pub name: String,
    /// The address that the call came from; `None` if it comes from this machine.
    pub address: Option<String>,
}

impl Requester {
    /// The caller of a gRPC service.
    #[must_use]
    pub fn of<T>(request: &Request<T>) -> Self {
        let name = request.extensions().get::<Caller>().map_or(ANONYMOUS, Caller::name).to_owned();
        let over_tls = request.extensions().get::<PeerInfo>().map(|peer| peer.remote_address);
        let address = over_tls.or_else(|| request.remote_addr()).map(|address| address.to_string());
        Self { name, address }
    }

    /// Somebody at this address who was not asked who they are.
    #[must_use]
    pub fn anonymous(address: SocketAddr) -> Self {
        Self { name: ANONYMOUS.to_owned(), address: Some(address.to_string()) }
    }
}

/// Records what operators do.
#[derive(Clone)]
pub struct Auditor {
    trail: Arc<dyn AuditTrail>,
    clock: Arc<dyn Clock>,
}

impl Auditor {
    /// Records in `trail`.
    #[must_use]
    pub fn new(trail: Arc<dyn AuditTrail>, clock: Arc<dyn Clock>) -> Self {
        Self { trail, clock }
    }

    /// Records an action that is about to be done.
    ///
    /// # Errors
    /// If it cannot be recorded: then it must not be done.
    pub async fn begin(
        &self,
        requester: &Requester,
        action: OperatorAction,
        details: &str,
    ) -> warehouse_core::Result<AuditedAction> {
        let entry = NewAuditEntry {
            action,
            actor: requester.name.clone(),
            address: requester.address.clone(),
            details: bounded(details),
            requested_at: self.clock.now(),
        };
        let id = self.trail.record_action(&entry).await?;
        Ok(AuditedAction { id, entry, auditor: self.clone() })
    }
}

impl std::fmt::Debug for Auditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auditor").finish_non_exhaustive()
    }
}

/// An action whose beginning is recorded.
#[derive(Debug)]
#[must_use = "its end belongs into the audit trail, too"]
pub struct AuditedAction {
    id: AuditEntryId,
    entry: NewAuditEntry,
    auditor: Auditor,
}

impl AuditedAction {
    /// Records how the action ended. It cannot be undone any more, so a failure to record
    /// that is only logged.
    pub async fn end(self, outcome: ActionOutcome, message: &str) {
        let Self { id, entry, auditor } = self;
        let end = ActionEnd { outcome, message: bounded(message), ended_at: auditor.clock.now() };
        info!(
            action = entry.action.as_str(),
            actor = entry.actor,
            address = entry.address,
            details = entry.details,
            requested_at = %entry.requested_at,
            outcome = outcome.as_str(),
            result = end.message,
            "operator action"
        );
        if let Err(error) = auditor.trail.record_end(id, &end).await {
            error!(entry = id.0, error = %error, "the audit trail lacks the end of an action");
        }
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_whom_nobody_asked_is_anonymous() {
        let inside = Requester { name: "anonymous".to_owned(), address: None };
        assert_eq!(Requester::of(&Request::new(())), inside);
        let mut request = Request::new(());
        let address = SocketAddr::from(([192, 0, 2, 7], 40_312));
        request.extensions_mut().insert(tonic::transport::server::TcpConnectInfo {
            local_addr: None,
            remote_addr: Some(address),
        });
        assert_eq!(Requester::of(&request), Requester::anonymous(address));
    }

    #[test]
    fn a_request_cannot_fill_the_trail_at_once() {
        assert_eq!(bounded("run 7"), "run 7");
        assert_eq!(bounded(&"ä".repeat(1 << 20)).chars().count(), MAX_CHARS);
    }
}
