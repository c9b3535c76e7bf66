//! Days far from everything published: the server refuses them unless they are intended.

use presentation::refusal::far_days;
use tonic::Status;

use crate::{
    confirm::{Answer, ConfirmArgs},
    connect::Connection,
    error::Error,
};

/// Sends a request without `beyond_reach`, and again with it if the days are far but intended.
///
/// # Errors
/// If the server or the user refuses.
pub async fn ask<T>(
    connection: &Connection,
    force: bool,
    confirm: ConfirmArgs,
    send: impl AsyncFn(bool) -> Result<T, Status>,
) -> Result<T, Error> {
    let refusal = match send(false).await {
        Ok(answer) => return Ok(answer),
        Err(refusal) => refusal,
    };
    if !are_meant(&refusal, force, confirm)? {
        return Err(connection.failure(refusal));
    }
    send(true).await.map_err(|status| connection.failure(status))
}

/// Whether far days are intended: forced, and confirmed if there is somebody to ask.
fn are_meant(refusal: &Status, force: bool, confirm: ConfirmArgs) -> Result<bool, Error> {
    let Some(problem) = far_days(refusal).filter(|_| force) else { return Ok(false) };
    let reported = problem.split(';').next().unwrap_or(&problem);
    match confirm.ask(&format!("{reported}. Run it all the same?"))? {
        Answer::Yes | Answer::NobodyThere => Ok(true),
        Answer::No => Err(Error::Usage("nothing was run".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    fn refusal(field: &str) -> Status {
        let details = ErrorDetails::with_bad_request_violation(field, "2006-11-24 is far; is it mistyped?");
        Status::with_error_details(Code::InvalidArgument, "invalid", details)
    }

    #[test]
    fn far_days_are_meant_only_with_force() {
        let confirm = ConfirmArgs { yes: true };
        assert!(are_meant(&refusal("beyond_reach"), true, confirm).unwrap());
        assert!(!are_meant(&refusal("beyond_reach"), false, confirm).unwrap());
        assert!(!are_meant(&refusal("window"), true, confirm).unwrap());
    }
}
