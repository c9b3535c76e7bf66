//! Resolves names to the addresses that a policy admits.

use std::{error::Error, io, net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::policy::{Policy, Refusal};

/// The resolver of one client. It hands a connection only addresses that have been
/// checked, so that none can change in between.
pub(crate) struct Filtered {
    pub(crate) names: Arc<dyn Resolve>,
    pub(crate) policy: Policy,
    pub(crate) is_encrypted: bool,
}

impl Resolve for Filtered {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, is_encrypted) = (self.policy, self.is_encrypted);
        let resolving = self.names.resolve(name);
        Box::pin(async move {
            let mut refused = None;
            let mut admitted = Vec::new();
            for address in resolving.await? {
                match policy.check(address.ip(), is_encrypted) {
                    Ok(()) => admitted.push(address),
                    Err(refusal) => refused = refused.or(Some(refusal)),
                }
            }
            match refused {
                Some(refusal) if admitted.is_empty() => Err(refusal.into()),
                _ => Ok(Box::new(admitted.into_iter()) as Addrs),
            }
        })
    }
}

/// The operating system's resolver.
pub(crate) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the client's to set.
            let found: io::Result<Vec<SocketAddr>> =
                tokio::net::lookup_host((name.as_str(), 0)).await.map(Iterator::collect);
            Ok(Box::new(found?.into_iter()) as Addrs)
        })
    }
}

/// The refusal that made a request fail, if one did.
#[must_use]
pub fn refusal_in(error: &reqwest::Error) -> Option<&Refusal> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref() {
            return Some(refusal);
        }
        cause = error.source();
    }
    None
}
