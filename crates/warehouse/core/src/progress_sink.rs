//! Who hears how far a long method is.

use std::sync::Arc;

use domain::Progress;

/// Receives the progress of a long method. Called often: must not block.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;
