//! The audit trail of commands that open the warehouse themselves.

use std::{fs, sync::Arc};

use anyhow::Context as _;
use domain::{ActionOutcome, OperatorAction};
use runtime::{AuditedAction, Auditor, Requester, SystemClock};
use warehouse::SharedWarehouse;

use crate::error::Error;

/// Records that the user of this process is about to do something.
///
/// # Errors
/// If that cannot be recorded: then it must not be done.
pub async fn begin(
    warehouse: &SharedWarehouse,
    action: OperatorAction,
    details: &str,
) -> Result<AuditedAction, Error> {
    let auditor = Auditor::new(warehouse.clone(), Arc::new(SystemClock));
    let requester = Requester { name: format!("local:{}", user()), address: None };
    let recorded = auditor.begin(&requester, action, details).await;
    Ok(recorded.context("the audit trail cannot record this command")?)
}

/// Records how an action ended, and returns its outcome.
///
/// # Errors
/// That of the action.
pub async fn end<T>(recorded: AuditedAction, outcome: Result<T, Error>, done: &str) -> Result<T, Error> {
    match &outcome {
        Ok(_) => recorded.end(ActionOutcome::Succeeded, done).await,
        Err(error) => recorded.end(ActionOutcome::Failed, &error.to_string()).await,
    }
    outcome
}

/// The name of the user whose rights this process has, or the number of one without a name.
/// Environment variables are not asked: anybody sets them.
fn user() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(uid, &users).map_or_else(|| uid.to_string(), str::to_owned)
}

fn name_of(uid: u32, users: &str) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\n\nbroken\nactivity:x:65532:65532::/:/sbin/nologin\n";
        assert_eq!(name_of(65_532, users), Some("activity"));
        assert_eq!(name_of(0, users), Some("root"));
        assert_eq!(name_of(7, users), None);
    }
}
