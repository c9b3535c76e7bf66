//! The headings under which exports hold the wanted columns.

use std::str::FromStr;

use clap::ValueEnum;
use domain::text::settled;

mod presets;

/// A column of a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    CompanyId,
    Name,
    Country,
    IndustryTag,
    LastContactAt,
}

impl Column {
    /// In the order in which messages list them.
    pub(crate) const ALL: [Self; 5] =
        [Self::CompanyId, Self::Name, Self::Country, Self::IndustryTag, Self::LastContactAt];

    /// Its name in options and messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CompanyId => "company_id",
            Self::Name => "name",
            Self::Country => "country",
            Self::IndustryTag => "industry_tag",
            Self::LastContactAt => "last_contact_at",
        }
    }

    /// The headings that stand for it without configuration.
    const fn own_headings(self) -> &'static [&'static str] {
        match self {
            Self::CompanyId => &["company_id"],
            Self::Name => &["name", "company_name"],
            Self::Country => &["country"],
            Self::IndustryTag => &["industry_tag"],
            Self::LastContactAt => &["last_contact_at"],
        }
    }
}

/// A CRM whose headings are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// Headings are the columns' own names
    None,
    /// HubSpot's export of companies
    Hubspot,
    /// Salesforce's accounts, from a report or from the data loader
    Salesforce,
    /// Accounts of Dynamics 365 Sales
    Dynamics,
    /// Pipedrive's export of organizations
    Pipedrive,
}

impl Preset {
    /// The presets with headings.
    pub(crate) const KNOWN: [Self; 4] = [Self::Hubspot, Self::Salesforce, Self::Dynamics, Self::Pipedrive];

    /// Its name in options.
    pub(crate) fn option(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The configured headings of some columns; an empty one means that exports do not have the column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnsOption(Vec<(Column, String)>);

impl FromStr for ColumnsOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut mapping = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let form = || {
                format!(
                    "{rest:?} does not begin like company_id=\"Record ID\"; quote headings that have a comma"
                )
            };
            let (name, value) = rest.split_once('=').ok_or_else(form)?;
            let column = column_named(name)?;
            let (heading, behind) = heading(value.trim_start()).ok_or_else(form)?;
            if heading.is_empty() && column == Column::CompanyId {
                return Err(
                    "the heading of company_id is empty, but there is no company without it".to_owned()
                );
            }
            if mapping.iter().any(|(other, _)| *other == column) {
                return Err(format!("{} is given twice", column.name()));
            }
            mapping.push((column, heading));
            rest = behind;
        }
        Ok(Self(mapping))
    }
}

fn column_named(name: &str) -> Result<Column, String> {
    let name = name.trim();
    let column = Column::ALL.into_iter().find(|column| column.name().eq_ignore_ascii_case(name));
    column.ok_or_else(|| {
        let known = Column::ALL.map(Column::name).join(", ");
        format!("there is no column {name}; the columns are {known}")
    })
}

/// The heading at the start of a text, and what follows the comma.
fn heading(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (heading, behind) = text.split_once(',').unwrap_or((text, ""));
        return (!heading.contains('"')).then(|| (settled(heading).into_owned(), behind.trim_start()));
    };
    let mut heading = String::new();
    let mut rest = quoted;
    loop {
        let (part, behind) = rest.split_once('"')?;
        heading.push_str(part);
        rest = behind;
        match rest.strip_prefix('"') {
            Some(behind) => {
                heading.push('"');
                rest = behind;
            }
            None => break,
        }
    }
    let behind = rest.trim_start();
    let behind = if behind.is_empty() { behind } else { behind.strip_prefix(',')? };
    Some((settled(&heading).into_owned(), behind.trim_start()))
}

/// The headings that stand for each column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnNames {
    mapping: ColumnsOption,
    preset: Preset,
}

/// The position of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Field number, from 0.
    At(usize),
    /// The column is missing, and not configured.
    Absent,
    /// The column is missing, though configured.
    Missing,
    /// Two fields have its name.
    Twice(usize, usize),
}

impl ColumnNames {
    pub(crate) const fn new(mapping: ColumnsOption, preset: Preset) -> Self {
        Self { mapping, preset }
    }

    /// Whether the configuration says that exports do not have a column.
    pub(crate) fn is_given_up(&self, column: Column) -> bool {
        self.configured(column) == Some("")
    }

    /// The configured heading of a column.
    pub(crate) fn configured(&self, column: Column) -> Option<&str> {
        let ColumnsOption(mapping) = &self.mapping;
        mapping.iter().find(|(mapped, _)| *mapped == column).map(|(_, heading)| heading.as_str())
    }

    pub(crate) const fn preset(&self) -> Preset {
        self.preset
    }

    /// The position of a column among the headings.
    pub(crate) fn place(&self, column: Column, headings: &[String]) -> Place {
        if self.is_given_up(column) {
            return Place::Absent;
        }
        if let Some(heading) = self.configured(column) {
            return find(heading, headings).unwrap_or(Place::Missing);
        }
        // The first of a preset's headings wins: exports may have several of them.
        if let Some(place) = self.preset.headings(column).iter().find_map(|heading| find(heading, headings)) {
            return place;
        }
        let mut found = column.own_headings().iter().filter_map(|heading| find(heading, headings));
        match (found.next(), found.next()) {
            (Some(Place::At(first)), Some(Place::At(second))) if first != second => {
                Place::Twice(first.min(second), first.max(second))
            }
            (Some(place), _) => place,
            (None, _) => Place::Absent,
        }
    }

    /// Scores how many columns the headings have; the company's identifier weighs most.
    pub(crate) fn rate(&self, headings: &[String]) -> usize {
        let has = |column| matches!(self.place(column, headings), Place::At(_) | Place::Twice(..));
        Column::ALL
            .into_iter()
            .filter(|column| has(*column))
            .map(|column| if column == Column::CompanyId { Column::ALL.len() } else { 1 })
            .sum()
    }
}

/// Finds a heading among others: spelled identically, or else identical except for `_`.
fn find(wanted: &str, headings: &[String]) -> Option<Place> {
    [canonical as fn(&str) -> String, without_underscores].iter().find_map(|spelled| {
        let wanted = spelled(wanted);
        let mut found = headings.iter().enumerate().filter(|(_, heading)| spelled(heading) == wanted);
        let (first, _) = found.next()?;
        Some(found.next().map_or(Place::At(first), |(second, _)| Place::Twice(first, second)))
    })
}

/// A heading in one case, without surrounding or repeated spaces.
pub(crate) fn canonical(heading: &str) -> String {
    settled(heading).to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_underscores(heading: &str) -> String {
    canonical(&heading.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn names(mapping: &str, preset: Preset) -> ColumnNames {
        ColumnNames::new(mapping.parse().unwrap(), preset)
    }

    #[test]
    fn a_mapping_is_read_with_its_quotes() {
        let ColumnsOption(mapping) =
            "company_id=\"Record \"\"ID\"\", old\", name = Account Name ,country=\"Country/Region\""
                .parse()
                .unwrap();
        assert_eq!(
            mapping,
            [
                (Column::CompanyId, "Record \"ID\", old".to_owned()),
                (Column::Name, "Account Name".to_owned()),
                (Column::Country, "Country/Region".to_owned()),
            ]
        );
        for (text, problem) in [
            ("company_id", "does not begin like"),
            ("company_id=\"Record", "does not begin like"),
            ("company_id=\"a\"b", "does not begin like"),
            ("company_id=", "the heading of company_id is empty"),
            ("name=a,name=b", "name is given twice"),
            ("nome=a", "there is no column nome"),
        ] {
            let refused = text.parse::<ColumnsOption>().unwrap_err();
            assert!(refused.contains(problem), "{text}: {refused}");
        }
    }

    #[test]
    fn headings_are_compared_without_case_space_and_underscores() {
        let names = names("", Preset::None);
        for heading in ["company_id", " Company_ID ", "COMPANY ID", "company  id", "\u{feff}company_id"] {
            assert_eq!(names.place(Column::CompanyId, &headings(&["x", heading])), Place::At(1), "{heading}");
        }
        // An exact spelling wins over a similar one.
        assert_eq!(names.place(Column::CompanyId, &headings(&["Company ID", "company_id"])), Place::At(1));
        assert_eq!(
            names.place(Column::CompanyId, &headings(&["Company ID", "x", "company id"])),
            Place::Twice(0, 2)
        );
    }

    #[test]
    fn what_is_configured_overrides_every_other_name() {
        let names = names("name=\"Trading Name\"", Preset::Hubspot);
        let all = headings(&["Record ID", "Company name", "name", "Trading  name"]);
        assert_eq!(names.place(Column::Name, &all), Place::At(3));
        assert_eq!(names.place(Column::Name, &all[..3]), Place::Missing);
        assert_eq!(names.place(Column::CompanyId, &all), Place::At(0));
        assert_eq!(names.place(Column::Country, &all), Place::Absent);
        let given_up = self::names("name=, country=DE", Preset::None);
        assert_eq!(given_up.place(Column::Name, &all), Place::Absent);
        assert!(given_up.is_given_up(Column::Name) && !given_up.is_given_up(Column::Country));
    }

    #[test]
    fn every_preset_finds_the_columns_of_its_export() {
        for (preset, header) in [
            (
                Preset::Hubspot,
                &["Record ID", "Company name", "Country/Region", "Industry", "Last Contacted"][..],
            ),
            (
                Preset::Hubspot,
                &["Record ID", "Company name", "Country/Region", "Industry", "Last Activity Date"],
            ),
            (Preset::Salesforce, &["Id", "Name", "BillingCountry", "Industry", "LastActivityDate"]),
            (
                Preset::Salesforce,
                &["Account ID", "Account Name", "Billing Country", "Industry", "Last Activity"],
            ),
            (
                Preset::Dynamics,
                &["accountid", "name", "address1_country", "industrycode", "lastusedincampaign"],
            ),
            (
                Preset::Dynamics,
                &["Account", "Account Name", "Address 1: Country/Region", "Industry", "Last Activity Date"],
            ),
            (Preset::Pipedrive, &["ID", "Name", "Country of Address", "Industry", "Last activity date"]),
            (
                Preset::Pipedrive,
                &[
                    "Organization - ID",
                    "Organization - Name",
                    "Organization - Country of Address",
                    "Organization - Industry",
                    "Organization - Last activity date",
                ],
            ),
        ] {
            let (names, header) = (names("", preset), headings(header));
            for (at, column) in Column::ALL.into_iter().enumerate() {
                assert_eq!(names.place(column, &header), Place::At(at), "{preset:?} {column:?}");
            }
        }
    }

    #[test]
    fn of_several_headings_of_a_preset_the_first_that_it_names_counts() {
        let both = headings(&["Record ID", "Last Activity Date", "Last Contacted"]);
        assert_eq!(names("", Preset::Hubspot).place(Column::LastContactAt, &both), Place::At(2));
    }
}
