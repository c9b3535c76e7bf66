//! Reads the audit policy from a file.

use std::{fs, path::Path};

use anyhow::Context as _;
use domain::audit::AuditPolicy;

/// Reads the audit policy from a YAML file, or returns the default if there is none.
///
/// # Errors
/// If the file cannot be read, has an unknown key, or a threshold out of range.
pub fn read_policy(file: Option<&Path>) -> anyhow::Result<AuditPolicy> {
    let Some(file) = file else { return Ok(AuditPolicy::default()) };
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read the audit file {}", file.display()))?;
    parse(&text).with_context(|| format!("the audit file {} makes no sense", file.display()))
}

fn parse(text: &str) -> anyhow::Result<AuditPolicy> {
    let policy: AuditPolicy = serde_saphyr::from_str(text)?;
    anyhow::ensure!(
        (0.0..=1.0).contains(&policy.volume_min_share),
        "volume_min_share is {}: it must lie between 0 and 1",
        policy.volume_min_share
    );
    anyhow::ensure!(
        policy.volume_min_median >= 0.0,
        "volume_min_median is {}: it must not be negative",
        policy.volume_min_median
    );
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use domain::audit::AuditLevel;

    use super::*;

    #[test]
    fn what_the_file_does_not_name_keeps_its_default() {
        let policy = parse("source_rows_present: block\nvolume_min_share: 0.9\n").unwrap();
        let expected = AuditPolicy {
            source_rows_present: AuditLevel::Block,
            volume_min_share: 0.9,
            ..AuditPolicy::default()
        };
        assert_eq!(policy, expected);
    }

    #[test]
    fn a_misspelt_audit_or_level_or_an_absurd_threshold_is_refused() {
        for text in ["rows_presant: block", "volume: loud", "volume_min_share: 1.5", "volume_min_median: -1"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
