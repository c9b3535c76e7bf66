//! When certificates expire, and when to say so.

use chrono::{DateTime, TimeDelta, Utc};
use rustls::{pki_types::CertificateDer, time_provider::TimeProvider};
use tracing::{error, warn};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// Whoever renews does so with a third of the life left (cert-manager, ACME) or half
/// (SPIFFE). A fifth means that it has not worked.
const SHARE_LEFT: i32 = 5;

/// The fifth of a year-long certificate's life is too early to bother anybody.
const SOON: TimeDelta = TimeDelta::days(14);

/// While a certificate, with its intermediates, is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    begins: DateTime<Utc>,
    ends: DateTime<Utc>,
}

impl Validity {
    /// While all of `chain` is valid. `None` if one cannot be parsed.
    pub(crate) fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let validities = chain.iter().map(|certificate| {
            let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
            let validity = parsed.validity();
            Some(Self {
                begins: DateTime::from_timestamp(validity.not_before.timestamp(), 0)?,
                ends: DateTime::from_timestamp(validity.not_after.timestamp(), 0)?,
            })
        });
        validities.reduce(|all, one| {
            let (all, one) = (all?, one?);
            Some(Self { begins: all.begins.max(one.begins), ends: all.ends.min(one.ends) })
        })?
    }

    pub(crate) const fn ends(self) -> DateTime<Utc> {
        self.ends
    }

    fn stage(self, now: DateTime<Utc>) -> Stage {
        let warn_at = self.ends - ((self.ends - self.begins) / SHARE_LEFT).min(SOON);
        if now > self.ends {
            Stage::Over
        } else if now >= warn_at {
            Stage::Ending
        } else {
            Stage::Good
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Stage {
    #[default]
    Good,
    Ending,
    Over,
}

/// Says that a certificate is about to expire, and that it has: each once.
#[derive(Debug, Default)]
pub(crate) struct ExpiryWatch {
    certificate: Option<Validity>,
    said: Stage,
}

impl ExpiryWatch {
    pub(crate) fn look(&mut self, certificate: Option<Validity>, clock: &dyn TimeProvider, whose: &str) {
        if self.certificate != certificate {
            *self = Self { certificate, said: Stage::Good };
        }
        let (Some(certificate), Some(now)) = (certificate, now(clock)) else { return };
        let stage = certificate.stage(now);
        if stage <= self.said {
            return;
        }
        self.said = stage;
        let expires = certificate.ends.to_rfc3339();
        if stage == Stage::Over {
            error!(expires, "the {whose} certificate has expired: peers refuse it");
        } else {
            warn!(expires, "the {whose} certificate expires soon and has not been renewed");
        }
    }
}

fn now(clock: &dyn TimeProvider) -> Option<DateTime<Utc>> {
    let seconds = i64::try_from(clock.current_time()?.as_secs()).ok()?;
    DateTime::from_timestamp(seconds, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage_of(days: i64, left: TimeDelta) -> Stage {
        let ends = DateTime::UNIX_EPOCH + TimeDelta::days(days);
        Validity { begins: DateTime::UNIX_EPOCH, ends }.stage(ends - left)
    }

    #[test]
    fn a_certificate_is_warned_of_after_the_time_at_which_it_is_usually_renewed() {
        for (days, left, expected) in [
            (90, TimeDelta::days(30), Stage::Good),
            (90, TimeDelta::days(15), Stage::Good),
            (90, TimeDelta::days(14), Stage::Ending),
            (365, TimeDelta::days(60), Stage::Good),
            (1, TimeDelta::hours(8), Stage::Good),
            (1, TimeDelta::hours(4), Stage::Ending),
            (1, TimeDelta::zero(), Stage::Ending),
            (1, TimeDelta::seconds(-1), Stage::Over),
        ] {
            assert_eq!(stage_of(days, left), expected, "{days} days, {left} left");
        }
    }
}
