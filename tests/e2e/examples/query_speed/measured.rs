//! What was measured, and how it is read.

/// Some callers' calls at the same time, in seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Round {
    /// From the first to the last.
    pub(crate) seconds: f64,
    /// Of each call.
    pub(crate) times: Vec<f64>,
}

impl Round {
    /// Calls a second.
    pub(crate) fn throughput(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
        let calls = self.times.len() as f64;
        calls / self.seconds
    }

    /// The time in milliseconds within which this share of the calls was answered.
    pub(crate) fn within(&self, share: f64) -> f64 {
        percentile(self.times.clone(), share) * 1_000.0
    }
}

/// The value that this share of the values does not exceed.
pub(crate) fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a short list"
    )]
    let at = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values[at.min(values.len() - 1)]
}
