//! Requests a backfill from a server.

use proto::pipeline::v1::{BackfillRequest, BackfillResponse};
use tonic::Streaming;

use crate::{confirm::ConfirmArgs, connect::Connection, error::Error, reach::are_meant};

/// Requests a backfill, and repeats the request if its days are far but
/// intended. Returns the final request.
///
/// # Errors
/// If the server or the user refuses.
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
