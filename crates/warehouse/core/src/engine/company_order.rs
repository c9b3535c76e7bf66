//! Where a company stands in an order.

use domain::FactRow;

use crate::overview::{CompanyOrder, CompanySearch, CompanyTraits};

/// The keys by which companies are ordered: whether there is no value, then the text, the number,
/// and the company. Numbers are turned round if the greatest comes first; texts are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompanyPosition {
    /// Whether the company has no value to order by.
    pub is_missing: bool,
    /// The text; empty if the order is by a number.
    pub text: String,
    /// The number; zero if the order is by a text.
    pub number: i64,
    /// The company; empty for before all.
    pub company_id: String,
}

impl CompanySearch {
    /// Where a row stands in the order, as the statements say it.
    #[must_use]
    pub fn position_of(&self, row: &FactRow) -> CompanyPosition {
        let (text, number) = match self.order {
            CompanyOrder::CompanyId => (Some(row.key.company_id.to_string()), None),
            CompanyOrder::Name => (row.company_name.clone(), None),
            CompanyOrder::Events => (None, Some(row.events)),
            CompanyOrder::ActiveUsers7d => (None, Some(row.active_users_7d)),
            CompanyOrder::DaysSinceLastContact => (None, row.days_since_last_contact.map(i64::from)),
        };
        let turned = |number: i64| if self.descending { -number } else { number };
        CompanyPosition {
            is_missing: text.is_none() && number.is_none(),
            text: text.unwrap_or_default(),
            number: number.map_or(0, turned),
            company_id: row.key.company_id.to_string(),
        }
    }

    /// Whether an index has the order.
    #[must_use]
    pub fn is_in_order_of_rows(&self) -> bool {
        self.order == CompanyOrder::CompanyId && !self.descending
    }

    /// Whether it asks for all companies of the day.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        self.words.is_empty() && self.traits == CompanyTraits::default() && !self.only_churn_risks
    }

    /// The words in lower case of ASCII.
    #[must_use]
    pub fn lower_words(&self) -> Vec<String> {
        self.words.iter().map(|word| word.to_ascii_lowercase()).collect()
    }
}

impl CompanyOrder {
    /// The order as the statements spell it.
    #[must_use]
    pub const fn as_stored(self) -> &'static str {
        match self {
            Self::CompanyId => "COMPANY_ID",
            Self::Name => "NAME",
            Self::Events => "EVENTS",
            Self::ActiveUsers7d => "ACTIVE_USERS_7D",
            Self::DaysSinceLastContact => "DAYS_SINCE_LAST_CONTACT",
        }
    }
}
