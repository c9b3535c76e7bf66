//! Which rows a command is about.

use clap::{
    Args, ValueEnum,
    builder::{NonEmptyStringValueParser, PossibleValuesParser},
};
use contract::message::window_to_proto;
use domain::RejectionKind;
use proto::quarantine::v1::{QuarantineFilter, QuarantineState};

use crate::{days::DayRangeArgs, error::Error};

/// Which rows a command is about: those that meet every condition.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(super) struct FilterArgs {
    /// Only rows of this file, as `list` names it
    #[arg(long, value_name = "FILE", value_parser = NonEmptyStringValueParser::new())]
    pub(super) origin: Option<String>,

    /// Only rows of files whose path begins so
    #[arg(long, value_name = "PREFIX", conflicts_with = "origin", value_parser = NonEmptyStringValueParser::new())]
    pub(super) below: Option<String>,

    /// Only this line of the file
    #[arg(long, value_name = "N", requires = "origin", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) line: Option<u64>,

    /// Only rows rejected for a reason of this kind
    #[arg(
        long,
        value_name = "KIND",
        ignore_case = true,
        value_parser = PossibleValuesParser::new(RejectionKind::ALL.map(RejectionKind::as_str))
    )]
    pub(super) reason: Option<String>,

    /// Only what this stage read
    #[arg(long, value_name = "STAGE", value_parser = NonEmptyStringValueParser::new())]
    pub(super) stage: Option<String>,

    #[command(flatten)]
    pub(super) days: DayRangeArgs,
}

/// Whether somebody has accepted the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StateChoice {
    /// Nobody has accepted them
    Open,
    /// Somebody has accepted them
    Accepted,
    /// Either
    All,
}

impl From<StateChoice> for QuarantineState {
    fn from(choice: StateChoice) -> Self {
        match choice {
            StateChoice::Open => Self::Open,
            StateChoice::Accepted => Self::Accepted,
            StateChoice::All => Self::Unspecified,
        }
    }
}

impl FilterArgs {
    /// The filter in the contract's words.
    ///
    /// # Errors
    /// If the days are in the wrong order.
    pub(super) fn filter(&self, state: QuarantineState) -> Result<QuarantineFilter, Error> {
        Ok(QuarantineFilter {
            origin: self.origin.clone().unwrap_or_default(),
            origin_prefix: self.below.clone().unwrap_or_default(),
            line: self.line.unwrap_or_default(),
            kind: self.reason.as_deref().unwrap_or_default().to_uppercase(),
            stage: self.stage.clone().unwrap_or_default(),
            days: self.days.window()?.map(window_to_proto),
            state: state.into(),
        })
    }

    /// Whether it leaves no row out.
    #[must_use]
    pub(super) fn is_everything(&self) -> bool {
        let Self { origin, below, line: _, reason, stage, days: DayRangeArgs { date, from, to: _ } } = self;
        [origin, below, reason, stage].into_iter().all(Option::is_none) && date.is_none() && from.is_none()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        filter: FilterArgs,
    }

    #[test]
    fn a_variable_that_is_empty_does_not_mean_everything() {
        for option in ["--origin=", "--below=", "--stage=", "--reason=", "--date="] {
            Line::try_parse_from(["list", option]).unwrap_err();
        }
        let named = Line::try_parse_from(["list", "--below=crm/"]).unwrap();
        assert!(!named.filter.is_everything());
        assert!(Line::try_parse_from(["list"]).unwrap().filter.is_everything());
    }
}
