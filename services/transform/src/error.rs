//! Why building or publishing failed.

use domain::{FailureKind, audit::Finding};
use runtime::stage::StageError;

/// Why building or publishing failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Storage failed or refused.
    #[error(transparent)]
    Warehouse(#[from] warehouse::Error),
    /// Audits block the publish; published data stays as it is. A retry judges
    /// what the run has already loaded, so it does not notice a source that was
    /// fixed since.
    #[error(
        "nothing was published, because {} found: {}. A retry judges the same data again: \
         once a source is mended, run the days anew",
        count(.0),
        list(.0)
    )]
    Blocked(Vec<Finding>),
}

/// How many findings an error message lists; it also says how many more there are.
const LISTED_FINDINGS: usize = 5;

fn count(findings: &[Finding]) -> String {
    if findings.len() == 1 { "an audit".to_owned() } else { format!("{} audits", findings.len()) }
}

fn list(findings: &[Finding]) -> String {
    let mut listed: Vec<String> = findings
        .iter()
        .take(LISTED_FINDINGS)
        .map(|finding| format!("{}: {}", finding.audit, finding.message))
        .collect();
    if findings.len() > LISTED_FINDINGS {
        listed.push(format!("and {} more", findings.len() - LISTED_FINDINGS));
    }
    listed.join("; ")
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Warehouse(error) => error.kind(),
            Self::Blocked(_) => FailureKind::InvalidInput,
        }
    }
}

impl From<Error> for StageError {
    fn from(error: Error) -> Self {
        Self { kind: error.kind(), message: error.to_string(), retry_after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(day: u32) -> Finding {
        Finding {
            audit: "rows_present",
            blocks: true,
            message: format!("2026-01-{day:02} would have no rows"),
        }
    }

    #[test]
    fn a_blocked_publish_says_that_a_retry_reads_no_source_again() {
        let message = Error::Blocked(vec![finding(1)]).to_string();
        assert!(message.ends_with("once a source is mended, run the days anew"), "{message}");
    }

    #[test]
    fn a_blocked_publish_says_which_audits_found_what() {
        let error = StageError::from(Error::Blocked((1..=7).map(finding).collect()));
        assert_eq!(error.kind, FailureKind::InvalidInput);
        assert!(
            error
                .message
                .starts_with("nothing was published, because 7 audits found: rows_present: 2026-01-01")
        );
        assert!(error.message.contains("and 2 more. A retry"), "{}", error.message);
    }

    #[test]
    fn what_storage_says_keeps_its_kind() {
        let error = StageError::from(Error::from(warehouse::Error::Precondition("out of date".to_owned())));
        assert_eq!(error.kind, FailureKind::FailedPrecondition);
        assert_eq!(error.message, "out of date");
    }
}
