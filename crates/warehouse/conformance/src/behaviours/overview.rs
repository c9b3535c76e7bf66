//! Reading at a glance: searches, and days that are not there.

use domain::{ChurnChange, CompanyAttributes, CrmCompany};
use warehouse_core::{ChurnQuery, CompanyOrder, CompanySearch, CompanyTraits};

use crate::engine::EngineUnderTest;
use crate::scene::{at, company, day, days, export, id, publish_run};

fn named(company_id: &str, name: &str, country: Option<&str>) -> CrmCompany {
    let attributes = CompanyAttributes {
        name: Some(name.to_owned()),
        country: country.map(str::to_owned),
        ..CompanyAttributes::default()
    };
    CrmCompany::read_in_full(id(company_id), attributes)
}

fn search(words: &[&str]) -> CompanySearch {
    CompanySearch {
        day: day(0),
        words: words.iter().map(ToString::to_string).collect(),
        traits: CompanyTraits::default(),
        only_churn_risks: false,
        order: CompanyOrder::CompanyId,
        descending: false,
        after: None,
    }
}

/// Every character of a word stands for itself, and only ASCII letters have another case.
pub async fn a_word_is_found_as_it_is_written(warehouse: EngineUnderTest) {
    let companies = vec![
        named("ACME-1", "Acme 100% GmbH", None),
        named("b_c", "B\\C", None),
        named("bxc", "Ärzte [x*?]", None),
        named("d'\"", "Zoë 😀", None),
    ];
    publish_run(&warehouse, days(0, 0), at(1), &[(export(day(0), "1"), companies)], &[]).await;
    for (words, expected) in [
        (&[][..], &["ACME-1", "b_c", "bxc", "d'\""][..]),
        (&["acme"], &["ACME-1"]),
        (&["GMBH", "-1"], &["ACME-1"]),
        (&["gmbh", "x"], &[]),
        (&["%"], &["ACME-1"]),
        (&["100%"], &["ACME-1"]),
        (&["0%g"], &[]),
        (&["_"], &["b_c"]),
        (&["b_c"], &["b_c"]),
        (&["\\"], &["b_c"]),
        (&["\\c"], &["b_c"]),
        (&["*"], &["bxc"]),
        (&["[x"], &["bxc"]),
        (&["Ärz"], &["bxc"]),
        (&["ärz"], &[]),
        (&["zoë"], &["d'\""]),
        (&["ZOË"], &[]),
        (&["😀", "'\""], &["d'\""]),
        // Not across the end of the identifier.
        (&["1acme"], &[]),
    ] {
        let search = search(words);
        let page = warehouse.search_companies(&search, 9).await.unwrap();
        let found: Vec<_> = page.rows.iter().map(|row| row.key.company_id.as_str()).collect();
        assert_eq!(found, expected, "{words:?}");
        assert_eq!(page.total, Some(i64::try_from(expected.len()).unwrap()), "{words:?}");
        for order in [CompanyOrder::Name, CompanyOrder::Events] {
            let page =
                warehouse.search_companies(&CompanySearch { order, ..search.clone() }, 9).await.unwrap();
            assert_eq!(page.rows.len(), expected.len(), "{words:?} by {order:?}");
        }
    }
}

/// By the numbers of the characters, whatever an engine's locale says; those without come last.
pub async fn names_are_ordered_by_their_characters(warehouse: EngineUnderTest) {
    let mut companies: Vec<_> =
        [("1", "b"), ("2", "B"), ("3", "ä"), ("4", "a"), ("5", "😀"), ("6", "ﬀ"), ("7", "b")]
            .map(|(company_id, name)| named(company_id, name, None))
            .to_vec();
    companies.push(CrmCompany::read_in_full(id("0"), CompanyAttributes::default()));
    publish_run(&warehouse, days(0, 0), at(1), &[(export(day(0), "1"), companies)], &[]).await;
    for (descending, expected) in [(false, "24173650"), (true, "56317420")] {
        let search = CompanySearch { order: CompanyOrder::Name, descending, ..search(&[]) };
        let page = warehouse.search_companies(&search, 9).await.unwrap();
        let found: String = page.rows.iter().map(|row| row.key.company_id.as_str()).collect();
        assert_eq!(found, expected);
    }
}

/// Nor is it an error to ask.
pub async fn a_day_that_is_not_published_has_nothing_to_show(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 0), at(1), &[(export(day(0), "1"), vec![company("acme", "Acme")])], &[])
        .await;
    let search = CompanySearch { day: day(1), ..search(&[]) };
    let page = warehouse.search_companies(&search, 9).await.unwrap();
    assert_eq!((page.rows, page.total, page.state.newest()), (vec![], Some(0), None));
    assert_eq!(warehouse.churn_summary(day(1)).await.unwrap(), None);
    assert_eq!(warehouse.days_with_totals(days(1, 9)).await.unwrap(), []);
    assert_eq!(warehouse.publications_of_day(day(1), None, 9).await.unwrap().entries, []);
    let query = ChurnQuery { change: Some(ChurnChange::New), ..ChurnQuery::all(day(1), None) };
    assert_eq!(warehouse.churn_risks(&query, 9).await.unwrap().items, []);
}
