//! Asking a server for a backfill.

use proto::pipeline::v1::{BackfillRequest, BackfillResponse};
use tonic::Streaming;

use crate::{confirm::ConfirmArgs, connect::Connection, error::Error, reach::are_meant};

/// Asks for a backfill, and once more if its days are far, but meant. Returns what was
/// asked in the end.
///
/// # Errors
/// If the server refuses, or the person does.
pub(super) async fn ask(
    connection: &Connection,
    request: BackfillRequest,
    confirm: ConfirmArgs,
) -> Result<(BackfillRequest, Streaming<BackfillResponse>), Error> {
    let refusal = match connection.pipeline().backfill(request.clone()).await {
        Ok(changes) => return Ok((request, changes.into_inner())),
        Err(refusal) => refusal,
    };
    if !are_meant(&refusal, request.force, confirm)? {
        return Err(connection.failure(refusal));
    }
    let meant = BackfillRequest { beyond_reach: true, ..request };
    let changes = connection.pipeline().backfill(meant.clone()).await;
    let changes = changes.map_err(|status| connection.failure(status))?;
    Ok((meant, changes.into_inner()))
}
