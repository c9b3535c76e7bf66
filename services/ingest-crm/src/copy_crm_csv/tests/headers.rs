//! Headers compared with those of the previous export.

use super::*;

const FIRST: &str = "company_id,name,country\nacme,Acme,US\nbeta,Beta,DE\n";

#[tokio::test]
async fn a_column_that_was_renamed_is_refused_before_anything_is_written() {
    let scene = Scene::new().await;
    scene.write("companies_2026-02-01.csv", FIRST);
    scene.execute("2026-02-03").await.unwrap();
    scene.write("companies_2026-02-02.csv", "company_id,name,Country code\nacme,Acme,US\nbeta,Beta,DE\n");
    let error = scene.execute("2026-02-03").await.unwrap_err();
    assert_eq!(error.kind, FailureKind::InvalidInput);
    for reported in ["companies_2026-02-02.csv", "the column \"country\"", "country=\"Country code\""] {
        assert!(error.message.contains(reported), "{}", error.message);
    }
    assert!(!scene.is_loaded("companies_2026-02-02.csv", "2026-02-02").await);
}

#[tokio::test]
async fn a_column_that_is_gone_for_good_can_be_given_up() {
    let mut scene = Scene::new().await;
    scene.write("companies_2026-02-01.csv", FIRST);
    scene.execute("2026-02-03").await.unwrap();
    scene.write("companies_2026-02-02.csv", "company_id,name\nacme,Acme\nbeta,Beta\n");
    scene.execute("2026-02-03").await.unwrap_err();
    let given_up = ColumnNames::new("country=\"\"".parse().unwrap(), Preset::None);
    scene.stage.loader.format.columns = given_up;
    scene.execute("2026-02-03").await.unwrap();
    assert!(scene.is_loaded("companies_2026-02-02.csv", "2026-02-02").await);
}

#[tokio::test]
async fn a_new_column_is_remarked_once() {
    let scene = Scene::new().await;
    scene.write("companies_2026-02-01.csv", FIRST);
    let first = scene.execute("2026-02-03").await.unwrap();
    assert_eq!(first.remarks, [""; 0]);
    let wider = "Company_ID,name,country,Owner\nacme,Acme,US,x\nbeta,Beta,DE,y\n";
    scene.write("companies_2026-02-02.csv", wider);
    let second = scene.execute("2026-02-03").await.unwrap();
    assert_eq!(second.remarks, ["companies_2026-02-02.csv: columns that are new and not read: \"Owner\""]);
    scene.write("companies_2026-02-03.csv", wider.replace("acme,Acme", "acme,Acme Inc"));
    let third = scene.execute("2026-02-03").await.unwrap();
    assert_eq!((third.remarks.len(), third.counters.rows_read), (0, 2));
}

#[tokio::test]
async fn a_copy_that_somebody_moved_costs_no_export() {
    let scene = Scene::new().await;
    scene.write("companies_2026-02-01.csv", FIRST);
    scene.execute("2026-02-03").await.unwrap();
    for (copy, _) in scene.copies("companies_2026-02-01.csv") {
        fs::remove_file(copy).unwrap();
    }
    scene.write("companies_2026-02-02.csv", "company_id,name,country,Owner\nacme,Acme,US,x\nbeta,B,DE,y\n");
    let outcome = scene.execute("2026-02-03").await.unwrap();
    assert_eq!(outcome.remarks, [""; 0]);
}
