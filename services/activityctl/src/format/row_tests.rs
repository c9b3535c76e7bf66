//! A row in every format.

use presentation::csv::CsvRows;
use prost_types::Timestamp;
use proto::activity::v1::{ChurnRisk, CompanyActivity, Publication};
use serde::Serialize;

use crate::format::{
    json::{ActivityJson, ChurnRiskJson, PublishedActivityJson, write_line},
    table,
};

/// A row with a value in every column.
fn full() -> CompanyActivity {
    CompanyActivity {
        company_id: "007".into(),
        activity_date: "2026-01-01".into(),
        company_name: Some("Acme, \"Inc\"\nBerlin".into()),
        country: Some("DE".into()),
        industry_tag: Some("saas".into()),
        last_contact_at: Some(Timestamp { seconds: 1_766_223_000, nanos: 0 }),
        active_users: 4,
        events: 10,
        active_users_7d: 9,
        is_churn_risk: false,
        events_per_user: Some(2.5),
        days_since_last_contact: Some(-3),
        loaded_at: Some(Timestamp { seconds: 1_767_312_000, nanos: 250_000_000 }),
    }
}

/// A row in which every column that can be NULL is.
fn unknown() -> CompanyActivity {
    CompanyActivity {
        company_id: "ghost".into(),
        activity_date: "2026-01-01".into(),
        is_churn_risk: true,
        ..CompanyActivity::default()
    }
}

fn csv(row: &CompanyActivity) -> String {
    let mut bytes = Vec::new();
    let mut csv = CsvRows::new(&mut bytes).unwrap();
    csv.write(row).unwrap();
    csv.flush().unwrap();
    drop(csv);
    String::from_utf8(bytes).unwrap()
}

fn json(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    write_line(&mut bytes, value).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn table_of(row: &CompanyActivity) -> Vec<String> {
    let publication = Publication {
        run_id: "run".into(),
        publish_time: Some(Timestamp { seconds: 1_767_312_000, nanos: 0 }),
        ..Publication::default()
    };
    let mut table = table::activity(row, Some(&publication));
    table.force_no_tty();
    table.trim_fmt().lines().map(|line| line.trim_end().to_owned()).collect()
}

const FULL_JSON: &str = concat!(
    r#""company_id":"007","activity_date":"2026-01-01","company_name":"Acme, \"Inc\"\nBerlin","#,
    r#""country":"DE","industry_tag":"saas","last_contact_at":"2025-12-20T09:30:00Z","active_users":4,"#,
    r#""events":10,"7d_active_users":9,"is_churn_risk":false,"events_per_user":2.5,"#,
    r#""days_since_last_contact":-3,"loaded_at":"2026-01-02T00:00:00.250Z""#,
);

#[test]
fn csv_has_every_column() {
    assert_eq!(
        csv(&full()),
        "company_id,activity_date,company_name,country,industry_tag,last_contact_at,active_users,events,\
         7d_active_users,is_churn_risk,events_per_user,days_since_last_contact,loaded_at\n\
         007,2026-01-01,\"Acme, \"\"Inc\"\"\nBerlin\",DE,saas,2025-12-20T09:30:00Z,4,10,9,false,2.5,-3,\
         2026-01-02T00:00:00.250Z\n"
    );
}

#[test]
fn null_is_an_empty_field_of_csv() {
    assert_eq!(csv(&unknown()).lines().last(), Some("ghost,2026-01-01,,,,,0,0,0,true,,,"));
}

#[test]
fn json_has_every_column() {
    assert_eq!(json(&ActivityJson::from(&full())), format!("{{{FULL_JSON}}}\n"));
}

#[test]
fn null_is_null_in_json() {
    assert_eq!(
        json(&ActivityJson::from(&unknown())),
        concat!(
            r#"{"company_id":"ghost","activity_date":"2026-01-01","company_name":null,"country":null,"#,
            r#""industry_tag":null,"last_contact_at":null,"active_users":0,"events":0,"#,
            r#""7d_active_users":0,"is_churn_risk":true,"events_per_user":null,"#,
            r#""days_since_last_contact":null,"loaded_at":null}"#,
            "\n"
        )
    );
}

#[test]
fn what_belongs_to_a_row_follows_its_columns_in_json() {
    assert_eq!(
        json(&PublishedActivityJson::new(&full(), None)),
        format!("{{{FULL_JSON},\"publication\":null}}\n")
    );
    let risk = ChurnRisk { activity: Some(full()), last_event_date: String::new() };
    assert_eq!(json(&ChurnRiskJson::new(&risk)), format!("{{{FULL_JSON},\"last_event_date\":null}}\n"));
}

#[test]
fn the_table_of_one_row_has_a_line_for_every_column() {
    assert_eq!(
        table_of(&full()),
        [
            "company_id               007",
            "activity_date            2026-01-01",
            r#"company_name             Acme, "Inc"\nBerlin"#,
            "country                  DE",
            "industry_tag             saas",
            "last_contact_at          2025-12-20T09:30:00Z",
            "active_users             4",
            "events                   10",
            "7d_active_users          9",
            "is_churn_risk            no",
            "events_per_user          2.5",
            "days_since_last_contact  -3",
            "loaded_at                2026-01-02T00:00:00Z",
            "published by run         run",
            "published at             2026-01-02T00:00:00Z",
        ]
    );
}

#[test]
fn null_is_a_dash_in_the_table() {
    let published = CompanyActivity { loaded_at: full().loaded_at, ..unknown() };
    let nulls =
        table_of(&published).into_iter().filter_map(|line| line.strip_suffix("  -").map(str::to_owned));
    assert_eq!(
        nulls.map(|column| column.trim_end().to_owned()).collect::<Vec<_>>(),
        [
            "company_name",
            "country",
            "industry_tag",
            "last_contact_at",
            "events_per_user",
            "days_since_last_contact"
        ]
    );
}
