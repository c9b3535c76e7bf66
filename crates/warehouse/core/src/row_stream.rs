//! What a source delivers.

use domain::SourceRow;
use futures::stream::BoxStream;

use crate::error::SourceError;

/// Rows of a delivery in order, read on demand. An `Err` ends the load and rolls it back.
pub type RowStream<'a, T> = BoxStream<'a, Result<SourceRow<T>, SourceError>>;
