//! How the product API's answers are read, and when they are believed.

use clap::Args as ClapArgs;
use domain::RejectionLimit;
use warehouse::UsageLimits;

use crate::field_names::{FieldName, FieldNames};

/// How the product API's answers are read, and when they are believed.
#[derive(Debug, Clone, ClapArgs)]
#[group(skip)]
pub struct AnswerOptions {
    /// What the product API calls what is read, where it is not our name: data=result.items,company_id=account.id,
    /// date=..., active_users=..., events=...; a dot leads into a nested object, and data=. takes an answer that is
    /// nothing but the list. Also where it says how long a list is: total=meta.size, total_pages=..., more=...; an
    /// empty name, as in total=, does not believe it
    #[arg(long, env = "PRODUCT_API_FIELDS", value_name = "OURS=THEIRS,...", value_delimiter = ',')]
    pub product_api_fields: Vec<FieldName>,

    /// The product API does not page: its first answer holds the whole day
    #[arg(long, env = "PRODUCT_API_UNPAGED")]
    pub product_api_unpaged: bool,

    /// Believe days of which every record has numbers or dates in another form, such as 5.0, "5" or
    /// 2026-01-31T00:00:00Z; in single records such forms are always read
    #[arg(long, env = "PRODUCT_API_OTHER_FORMS")]
    pub product_api_other_forms: bool,

    /// The greatest share of a day's records that may be unreadable, from 0 to 1; fewer than 3 are never too many.
    /// What is known of them stays as it is
    #[arg(long, env = "PRODUCT_API_MAX_REJECTED_SHARE", value_name = "SHARE", default_value_t = 0.05, value_parser = runtime::parse_share)]
    pub product_api_max_rejected_share: f64,

    /// The greatest share of a day's known records that a later answer may lack, from 0 to 1; up to 5 are never too
    /// many
    #[arg(long, env = "PRODUCT_API_MAX_LOSS_SHARE", value_name = "SHARE", default_value_t = 0.05, value_parser = runtime::parse_share)]
    pub product_api_max_loss_share: f64,
}

impl AnswerOptions {
    /// What an answer may lack; `accepts_silence` if somebody accepted it as it is.
    pub(crate) const fn limits(&self, accepts_silence: bool) -> UsageLimits {
        UsageLimits {
            rejections: RejectionLimit { max_share: self.product_api_max_rejected_share },
            max_loss_share: self.product_api_max_loss_share,
            accepts_silence,
        }
    }

    /// How records are read.
    pub(crate) fn reading(&self) -> Reading {
        Reading {
            names: FieldNames::new(&self.product_api_fields),
            believes_other_forms: self.product_api_other_forms,
        }
    }
}

/// How records are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The names of their fields.
    pub(crate) names: FieldNames,
    /// Whether to accept a day whose every record has another form than promised.
    pub(crate) believes_other_forms: bool,
}
