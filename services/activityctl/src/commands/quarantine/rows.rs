//! Asks the server for rows.

use proto::quarantine::v1::{
    CountQuarantinedRowsRequest, ListQuarantinedRowsRequest, QuarantineCount, QuarantineFilter,
    QuarantineGrouping, QuarantinedRow,
};
use tonic::Status;

use crate::{connect::Connection, error::Error};

/// The most rows per page that the server allows.
const MAX_PAGE: i32 = 200;

/// Up to `limit` rows, by file, then line.
pub(super) async fn rows(
    connection: &Connection,
    filter: QuarantineFilter,
    limit: usize,
) -> Result<Vec<QuarantinedRow>, Error> {
    let mut request = ListQuarantinedRowsRequest {
        filter: Some(filter),
        page_size: i32::try_from(limit).unwrap_or(MAX_PAGE).min(MAX_PAGE),
        page_token: String::new(),
    };
    let mut rows = Vec::new();
    loop {
        let page = connection.quarantine().list_quarantined_rows(request.clone()).await;
        let page = page.map_err(|status| failure(connection, status))?.into_inner();
        rows.extend(page.rows);
        request.page_token = page.next_page_token;
        if rows.len() >= limit || request.page_token.is_empty() {
            rows.truncate(limit);
            return Ok(rows);
        }
    }
}

/// Up to `limit` groups of rows, the greatest first.
pub(super) async fn counts(
    connection: &Connection,
    filter: QuarantineFilter,
    by: QuarantineGrouping,
    limit: u32,
) -> Result<Vec<QuarantineCount>, Error> {
    let max_groups = i32::try_from(limit).unwrap_or(i32::MAX);
    let request = CountQuarantinedRowsRequest { filter: Some(filter), by: by.into(), max_groups };
    let counted = connection.quarantine().count_quarantined_rows(request).await;
    Ok(counted.map_err(|status| failure(connection, status))?.into_inner().groups)
}

/// What a failed call means to the user.
pub(super) fn failure(connection: &Connection, status: Status) -> Error {
    connection.failure_of("QuarantineService", status)
}
