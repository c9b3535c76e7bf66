//! The headings of common CRMs.

use super::{Column, Preset};

impl Preset {
    /// The CRM's headings for a column, best match first: labels from files
    /// exported by hand, and field names of APIs and loaders.
    pub(crate) const fn headings(self, column: Column) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Hubspot => match column {
                Column::CompanyId => &["Record ID", "Company ID", "hs_object_id", "companyId"],
                Column::Name => &["Company name", "name"],
                Column::Country => &["Country/Region", "country"],
                Column::IndustryTag => &["Industry"],
                Column::LastContactAt => {
                    &["Last Contacted", "notes_last_contacted", "Last Activity Date", "notes_last_updated"]
                }
            },
            Self::Salesforce => match column {
                Column::CompanyId => &["Account ID", "Id", "AccountId", "18 Digit Account ID"],
                Column::Name => &["Account Name", "Name"],
                Column::Country => &["BillingCountry", "Billing Country", "Billing Country/Territory"],
                Column::IndustryTag => &["Industry"],
                Column::LastContactAt => &["LastActivityDate", "Last Activity"],
            },
            // Dynamics keeps no date of the last contact with an account: its
            // dates belong to a campaign, or were added by whoever runs it.
            Self::Dynamics => match column {
                Column::CompanyId => &["accountid", "(Do Not Modify) Account", "Account"],
                Column::Name => &["Account Name", "name"],
                Column::Country => &["Address 1: Country/Region", "address1_country", "Country/Region"],
                Column::IndustryTag => &["Industry", "industrycode"],
                Column::LastContactAt => &[
                    "Last Activity Date",
                    "Last Interaction",
                    "lastusedincampaign",
                    "Last Date Included in Campaign",
                ],
            },
            Self::Pipedrive => match column {
                Column::CompanyId => &["Organization - ID", "ID"],
                Column::Name => &["Organization - Name", "Name"],
                Column::Country => &["Organization - Country of Address", "Country of Address"],
                Column::IndustryTag => &["Organization - Industry", "Industry"],
                Column::LastContactAt => &["Organization - Last activity date", "Last activity date"],
            },
        }
    }
}
