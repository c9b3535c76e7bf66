//! Companies: search for one, or for those that have something in common.

use axum::{extract::Query, http::Uri};
use maud::{Markup, html};
use proto::activity::v1::{
    ChurnGroup, CompanyActivity, CompanyOrder, GetChurnSummaryRequest, GetChurnSummaryResponse,
    SearchCompaniesRequest, SearchCompaniesResponse,
};
use serde::Deserialize;

use crate::{
    backend::Services,
    failure::Failure,
    html::{
        address::{self, Address},
        choice::{self, ANY},
        form,
        layout::Section,
        link::{self, Cell},
        number::{count, thousands},
        part::{Answer, empty, known_visitor, list},
        table::{Order, number, pager, sorted, text},
        time,
    },
    visitor::Visitor,
};

/// Companies per page.
const PAGE_SIZE: i32 = 50;

/// The orders besides that by company, by the value of `sort`.
const ORDERS: [(&str, CompanyOrder); 4] = [
    ("name", CompanyOrder::Name),
    ("events", CompanyOrder::Events),
    ("users", CompanyOrder::ActiveUsers7d),
    ("contact", CompanyOrder::DaysSinceLastContact),
];

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    text: String,
    country: String,
    industry: String,
    risk: String,
    sort: String,
    direction: String,
    page: String,
}

impl Asked {
    /// The value of `sort` for the order that is shown, and that order.
    fn sorted(&self) -> (&'static str, CompanyOrder) {
        let known = ORDERS.into_iter().find(|(sort, _)| *sort == self.sort);
        known.unwrap_or(("company", CompanyOrder::CompanyId))
    }

    fn order(&self) -> CompanyOrder {
        self.sorted().1
    }

    fn sort(&self) -> &'static str {
        self.sorted().0
    }

    fn descending(&self) -> bool {
        self.direction == "descending"
    }

    fn request(&self) -> SearchCompaniesRequest {
        SearchCompaniesRequest {
            activity_date: String::new(),
            text: self.text.clone(),
            country: choice::value(&self.country),
            industry_tag: choice::value(&self.industry),
            only_churn_risks: !self.risk.is_empty(),
            order: self.order().into(),
            descending: self.descending(),
            page_size: PAGE_SIZE,
            page_token: self.page.clone(),
        }
    }
}

/// What the services have answered.
#[derive(Debug)]
struct Found {
    companies: Answer<SearchCompaniesResponse>,
    summary: Answer<GetChurnSummaryResponse>,
}

/// `GET /companies`
pub(crate) async fn show(visitor: Visitor, uri: Uri, Query(asked): Query<Asked>) -> Result<Markup, Failure> {
    let found = load(&visitor.services, &asked).await;
    known_visitor([found.companies.as_ref().err(), found.summary.as_ref().err()])?;
    Ok(visitor.page(Section::Companies, "Companies", &view(&found, &asked, &Address::of(&uri))))
}

async fn load(services: &Services, asked: &Asked) -> Found {
    let (mut searching, mut counting) = (services.activity(), services.activity());
    let (companies, summary) = tokio::join!(
        searching.search_companies(asked.request()),
        counting.get_churn_summary(GetChurnSummaryRequest::default()),
    );
    Found {
        companies: companies.map(tonic::Response::into_inner),
        summary: summary.map(tonic::Response::into_inner),
    }
}

fn view(found: &Found, asked: &Asked, address: &Address) -> Markup {
    html! {
        (form(found, asked, address))
        (list("Found", address, &found.companies, |page| companies(page, asked, address)))
    }
}

fn form(found: &Found, asked: &Asked, address: &Address) -> Markup {
    let groups = |of: fn(&GetChurnSummaryResponse) -> &Vec<ChurnGroup>| {
        found.summary.as_ref().map(of).map(Vec::as_slice).unwrap_or_default()
    };
    html! {
        form.row method="get" action="/companies" role="search" aria-label="Companies" {
            label {
                "Words of identifier or name"
                input type="search" name="text" value=(asked.text) maxlength="256";
            }
            (choice::select("Country", "country", &asked.country, groups(|summary| &summary.by_country)))
            (choice::select("Industry", "industry", &asked.industry, groups(|summary| &summary.by_industry)))
            label {
                "Risk of churn"
                select name="risk" {
                    option value="" { (ANY) }
                    option value="yes" selected[!asked.risk.is_empty()] { "at risk only" }
                }
            }
            (form::kept(address, &["text", "country", "industry", "risk"]))
            button type="submit" { "Search" }
            a.button.plain href="/companies" { "Clear" }
        }
    }
}

fn companies(page: &SearchCompaniesResponse, asked: &Asked, address: &Address) -> Markup {
    let Some(publication) = &page.publication else {
        return empty("Nothing is published yet.", "Companies are found here once a day has been published.");
    };
    if page.activities.is_empty() {
        return empty("No company meets all of these conditions.", "Leave out a word or a condition.");
    }
    let columns = [
        text("Company").sorted_by("company"),
        text("Name").sorted_by("name"),
        text("Country"),
        text("Industry"),
        number("Events").sorted_by("events"),
        number("Users"),
        number("Users of 7 days").sorted_by("users"),
        number("Days since contact").sorted_by("contact"),
        text("Risk of churn"),
    ];
    let rows = html! { @for row in &page.activities { (company(row)) } };
    let order = Order { address, by: asked.sort(), descending: asked.descending() };
    html! {
        p {
            (count(page.total_companies, "company", "companies")) " on "
            (time::day(&publication.activity_date)) ", the newest published day."
        }
        (sorted("Companies with their numbers of the day", &columns, order, &rows))
        (pager(address, &page.next_page_token))
    }
}

fn company(row: &CompanyActivity) -> Markup {
    html! {
        tr {
            th scope="row" { (link::company(&row.company_id)) }
            td { (link::optional(row.company_name.as_deref())) }
            td { (link::optional(row.country.as_deref())) }
            td { (link::optional(row.industry_tag.as_deref())) }
            td.number { (number_of(row, "cell-events", "events", thousands(row.events))) }
            td.number { (number_of(row, "cell-active_users", "users", thousands(row.active_users))) }
            td.number { (users_of_7_days(row)) }
            td.number { (since_contact(row)) }
            td { (explained_risk(row)) }
        }
    }
}

/// A number of a company's day, linked to why it is what it is.
fn number_of(row: &CompanyActivity, id: &'static str, what: &str, value: String) -> Markup {
    explained(row, id, what, &value, &html! { (value) })
}

fn explained(row: &CompanyActivity, id: &'static str, what: &str, value: &str, shown: &Markup) -> Markup {
    let company = Address::new(address::company(&row.company_id));
    let name = format!("{what} of {}", row.company_id);
    link::explained(&company, &row.activity_date, Cell { id, name: &name, value }, shown)
}

/// The users of seven days, linked to why they are so many.
pub(super) fn users_of_7_days(row: &CompanyActivity) -> Markup {
    number_of(row, "cell-7d_active_users", "users of 7 days", thousands(row.active_users_7d))
}

/// The days since the last contact, linked to why they are so many.
pub(super) fn since_contact(row: &CompanyActivity) -> Markup {
    let days = row.days_since_last_contact.map_or("never".to_owned(), thousands);
    number_of(row, "cell-days_since_last_contact", "days since contact", days)
}

/// Whether a company is at risk, linked to why.
pub(super) fn explained_risk(row: &CompanyActivity) -> Markup {
    let value = if row.is_churn_risk { "at risk" } else { "no" };
    explained(row, "cell-is_churn_risk", "the risk of churn", value, &risk(row.is_churn_risk))
}

/// Whether a company is at risk, in words.
pub(super) fn risk(is_risk: bool) -> Markup {
    html! { @if is_risk { span.state.waiting { "at risk" } } @else { "no" } }
}

#[cfg(test)]
mod tests {
    use proto::activity::v1::{ChurnCounts, Publication};
    use tonic::Status;

    use super::*;
    use crate::scripted::Script;

    const NOW: &str = "2026-03-01T06:00:00Z";

    fn found() -> SearchCompaniesResponse {
        let row = CompanyActivity {
            company_id: "a/b c".into(),
            activity_date: "2026-02-28".into(),
            company_name: Some("<script>alert(1)</script> & Sons".into()),
            country: Some("DE".into()),
            events: 12_345,
            is_churn_risk: true,
            ..CompanyActivity::default()
        };
        SearchCompaniesResponse {
            activities: vec![row],
            next_page_token: "next".into(),
            publication: Some(Publication { activity_date: "2026-02-28".into(), ..Publication::default() }),
            total_companies: 1_401,
        }
    }

    fn summary() -> GetChurnSummaryResponse {
        let group = |value: &str| ChurnGroup {
            value: value.into(),
            counts: Some(ChurnCounts { companies: 7, ..ChurnCounts::default() }),
        };
        GetChurnSummaryResponse {
            by_country: vec![group("DE"), group("")],
            by_industry: vec![group("\"><script>")],
            ..GetChurnSummaryResponse::default()
        }
    }

    #[tokio::test]
    async fn a_search_is_asked_as_it_stands_in_the_address() {
        let site = Script::new()
            .answers("SearchCompanies", &found())
            .answers("GetChurnSummary", &summary())
            .site(NOW);
        let page = site
            .get("/companies?text=sons&country=DE&industry=%28none%29&risk=yes&sort=events&direction=descending&page=p2")
            .await;
        assert_eq!(page.status, 200, "{}", page.text);
        let asked = site.asked::<SearchCompaniesRequest>("SearchCompanies").remove(0);
        assert_eq!(
            asked,
            SearchCompaniesRequest {
                text: "sons".into(),
                country: Some("DE".into()),
                industry_tag: Some(String::new()),
                only_churn_risks: true,
                order: CompanyOrder::Events.into(),
                descending: true,
                page_size: PAGE_SIZE,
                page_token: "p2".into(),
                ..SearchCompaniesRequest::default()
            }
        );
        for shown in [
            "1,401 companies on",
            r#"<a href="/companies/a%2Fb%20c">a/b c</a>"#,
            "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Sons",
            r#"<option value="DE" selected>DE (7)</option>"#,
            "First page",
            "page=next",
            "12,345",
            r#"<a href="/companies/a%2Fb%20c?explain=2026-02-28#cell-events" aria-label="12,345 – explain events of a/b c on 2026-02-28">"#,
        ] {
            assert!(page.text.contains(shown), "{shown}: {}", page.text);
        }
        assert!(!page.text.contains("<script>"));
    }

    #[tokio::test]
    async fn without_a_search_all_companies_are_listed_and_nothing_found_says_what_to_do() {
        let none = SearchCompaniesResponse { activities: Vec::new(), ..found() };
        let site = Script::new()
            .answers("SearchCompanies", &none)
            .fails("GetChurnSummary", Status::internal("no counts"))
            .site(NOW);
        let page = site.get("/companies?country=&text=").await;
        assert!(page.text.contains("Leave out a word or a condition."), "{}", page.text);
        let asked = site.asked::<SearchCompaniesRequest>("SearchCompanies").remove(0);
        assert_eq!(
            asked,
            SearchCompaniesRequest {
                order: CompanyOrder::CompanyId.into(),
                page_size: PAGE_SIZE,
                ..SearchCompaniesRequest::default()
            }
        );
    }

    #[tokio::test]
    async fn a_list_published_anew_begins_again() {
        let site = Script::new()
            .fails("SearchCompanies", Status::aborted("rows were published anew"))
            .answers("GetChurnSummary", &summary())
            .site(NOW);
        let page = site.get("/companies?text=x&page=old").await;
        assert!(page.text.contains("rows were published anew"), "{}", page.text);
        assert!(page.text.contains(r#"<a href="/companies?text=x">Begin again"#), "{}", page.text);
    }
}
