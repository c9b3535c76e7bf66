//! Which files are exports, and from which day they take effect.

use super::*;

const ACME: &str = "company_id,name\nacme,Acme\n";
const BOLT: &str = "company_id,name\nbolt,Bolt\n";

async fn published(scene: &Scene, business_date: &str) -> Vec<String> {
    let run = scene.hold(business_date).await;
    scene.execute_in(&run, Arc::new(|_| ())).await.unwrap();
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    run.complete(&api).await;
    run.build().await;
    run.publish().await;
    let rows =
        warehouse_conformance::scene::published(&scene.warehouse, DateWindow::day(date(business_date))).await;
    rows.into_iter().filter_map(|row| row.company_name).collect()
}

#[tokio::test]
async fn hidden_and_empty_files_are_passed_over_with_one_remark_a_run() {
    let scene = Scene::new().await;
    scene.write("crm_2026-02-01.csv", GOOD);
    scene.write("._crm_2026-02-01.csv", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X");
    scene.write("__MACOSX/crm_2026-02-01.csv", b"\x00\x05");
    scene.write("_temporary/0/part_2026-02-02.csv", "company_id\nhalf");
    scene.write("crm_2026-02-03.csv", "");
    let outcome = scene.execute("2026-02-10").await.unwrap();
    assert_eq!(outcome.counters.rows_written, 2);
    assert_eq!(
        outcome.remarks,
        [
            "3 hidden files passed over: ._crm_2026-02-01.csv, __MACOSX/crm_2026-02-01.csv, \
             _temporary/0/part_2026-02-02.csv",
            "1 empty file passed over: crm_2026-02-03.csv",
        ]
    );
    // The empty file becomes an export once it has content.
    scene.write("crm_2026-02-03.csv", GOOD);
    let outcome = scene.execute("2026-02-11").await.unwrap();
    assert_eq!(outcome.counters.rows_unchanged, 2);
}

#[tokio::test]
async fn an_export_that_becomes_empty_takes_nothing_away() {
    let scene = Scene::new().await;
    scene.write("crm_2026-02-01.csv", GOOD);
    scene.execute("2026-02-10").await.unwrap();
    scene.write("crm_2026-02-01.csv", "");
    assert_eq!(published(&scene, "2026-02-11").await, ["Acme", "Bolt"]);
}

#[tokio::test]
async fn a_file_that_is_gone_takes_nothing_away() {
    let scene = Scene::new().await;
    scene.write("crm_2026-02-01.csv", ACME);
    scene.execute("2026-02-10").await.unwrap();
    fs::remove_file(scene.folder.path().join("crm/crm_2026-02-01.csv")).unwrap();
    assert_eq!(published(&scene, "2026-02-11").await, ["Acme"]);
}

#[tokio::test]
async fn what_is_no_text_is_refused_by_the_name_of_its_format() {
    let scene = Scene::new().await;
    scene.write("a_2026-02-01.csv", b"\x1f\x8b\x08\x00\x00\x00");
    scene.write("b_2026-02-02.csv", b"PK\x03\x04\x14\x00");
    scene.write("c_2026-02-03.csv", GOOD);
    let error = scene.execute("2026-02-10").await.unwrap_err();
    for part in [
        "2 of 3 CRM exports refused, the others are loaded",
        "a_2026-02-01.csv: it is a gzip file and no CSV text: ",
        "b_2026-02-02.csv: it is a zip file or a spreadsheet (xlsx) and no CSV text: ",
        "move it out of the folder",
    ] {
        assert!(error.message.contains(part), "{part:?} is not in {}", error.message);
    }
    assert!(scene.is_loaded("c_2026-02-03.csv", "2026-02-03").await);
}

#[tokio::test]
async fn an_undated_export_keeps_the_day_on_which_its_content_was_first_seen() {
    let scene = Scene::new().await;
    scene.write("companies.csv", ACME);
    assert_eq!(published(&scene, "2026-02-03").await, ["Acme"]);
    let again = scene.execute("2026-02-04").await.unwrap();
    assert_eq!(again.counters.rows_read, 0, "it is not read again on another day");
    assert!(scene.is_loaded("companies.csv", "2026-02-03").await);

    scene.write("companies.csv", BOLT);
    assert_eq!(published(&scene, "2026-02-05").await, ["Bolt"]);
    // The old day keeps its snapshot.
    assert_eq!(published(&scene, "2026-02-03").await, ["Acme"]);
    let again = scene.execute("2026-02-03").await.unwrap();
    assert_eq!(again.counters.rows_read, 0);
}

#[tokio::test]
async fn an_undated_export_that_an_old_day_sees_first_does_not_change_published_history() {
    let scene = Scene::new().await;
    scene.write("companies.csv", ACME);
    published(&scene, "2026-02-03").await;
    published(&scene, "2026-02-05").await;
    scene.write("companies.csv", BOLT);
    let outcome = scene.execute("2026-02-03").await.unwrap();
    assert!(scene.is_loaded("companies.csv", "2026-02-05").await, "{:?}", outcome.remarks);
    assert!(outcome.remarks[0].contains("takes effect on 2026-02-05"), "{:?}", outcome.remarks);
    assert_eq!(published(&scene, "2026-02-03").await, ["Acme"]);
}

#[tokio::test]
async fn an_undated_content_that_comes_back_counts_anew() {
    let scene = Scene::new().await;
    let path = scene.folder.path().join("crm/companies.csv");
    scene.write("companies.csv", ACME);
    let first = fs::metadata(&path).unwrap().modified().unwrap();
    published(&scene, "2026-02-03").await;
    scene.write("companies.csv", BOLT);
    published(&scene, "2026-02-04").await;
    scene.write("companies.csv", ACME);
    fs::File::options().write(true).open(&path).unwrap().set_modified(first).unwrap();
    assert_eq!(published(&scene, "2026-02-05").await, ["Acme"]);
}

#[tokio::test]
async fn the_day_of_the_last_change_counts_where_that_is_wanted() {
    let mut scene = Scene::new().await;
    scene.stage.loader.day_source = DaySource::Modified;
    scene.write("companies_2026-02-01.csv", GOOD);
    let modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_770_000_000);
    let path = scene.folder.path().join("crm/companies_2026-02-01.csv");
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    scene.execute("2026-03-01").await.unwrap();
    assert!(scene.is_loaded("companies_2026-02-01.csv", "2026-02-02").await);
}

#[tokio::test]
async fn parts_of_a_day_are_one_export_and_a_late_part_completes_it() {
    let mut scene = Scene::new().await;
    scene.stage.loader.same_day = SameDay::Parts;
    scene.stage.loader.limits = SnapshotLimits::NONE;
    scene.write("dt=2026-02-01/part-0.csv", "company_id,name\nacme,Acme\n,nobody\n");
    scene.write("dt=2026-02-01/part-1.csv", "company_id,name\r\nbolt,Bolt\r\n\r\n,nobody\r\n");
    let run = scene.hold("2026-02-10").await;
    let outcome = scene.execute_in(&run, Arc::new(|_| ())).await.unwrap();
    run.cancel().await;
    assert_eq!((outcome.counters.rows_read, outcome.counters.rows_written), (4, 2));
    assert_eq!(
        outcome.remarks,
        [
            "dt=2026-02-01/part-0.csv and 1 more part: 2 rows rejected",
            "dt=2026-02-01/part-0.csv and 1 more part: a rejected row may be that of any company \
             (dt=2026-02-01/part-0.csv, line 3: company_id is empty), so this export takes no company out of the CRM",
        ]
    );
    let reasons: Vec<String> = scene.quarantine().await.into_iter().map(|row| row.2).collect();
    assert_eq!(
        reasons,
        [
            "dt=2026-02-01/part-0.csv, line 3: company_id is empty",
            "dt=2026-02-01/part-1.csv, line 4: company_id is empty",
        ]
    );
    assert_eq!(scene.copies("dt=2026-02-01/part-0.csv").len(), 1);
    assert_eq!(scene.execute("2026-02-10").await.unwrap().counters.rows_read, 0);

    scene.write("dt=2026-02-01/part-0b.csv", "company_id,name\ncity,City\n");
    assert_eq!(published(&scene, "2026-02-10").await, ["Acme", "Bolt", "City"]);
    // A missing part removes nothing.
    fs::remove_file(scene.folder.path().join("crm/dt=2026-02-01/part-1.csv")).unwrap();
    assert_eq!(published(&scene, "2026-02-11").await, ["Acme", "Bolt", "City"]);
}

#[tokio::test]
async fn parts_with_different_headers_are_refused_with_both() {
    let mut scene = Scene::new().await;
    scene.stage.loader.same_day = SameDay::Parts;
    scene.write("2026-02-01_0.csv", "\u{feff}company_id,name\nacme,Acme\n");
    scene.write("2026-02-01_1.csv", "Company_ID,Name\nbolt,Bolt\n");
    scene.write("2026-02-01_2.csv", "city,City\n");
    let error = scene.execute("2026-02-10").await.unwrap_err();
    for part in [
        "3 of 3 CRM exports refused",
        "2026-02-01_2.csv: its first line is \"city,City\", that of 2026-02-01_0.csv is \"company_id,name\"",
        "(copies are kept as crm/archive/2026-02-01_0.csv/",
    ] {
        assert!(error.message.contains(part), "{part:?} is not in {}", error.message);
    }
}

#[tokio::test]
async fn a_bad_part_is_named_with_its_line() {
    let mut scene = Scene::new().await;
    scene.stage.loader.same_day = SameDay::Parts;
    scene.stage.loader.limits.rejections = warehouse_conformance::scene::few_rejections();
    scene.write("2026-02-01_0.csv", GOOD);
    scene.write("2026-02-01_1.csv", format!("company_id,name\n{}", ",nobody\n".repeat(4)));
    let error = scene.execute("2026-02-10").await.unwrap_err();
    assert!(error.message.contains("2026-02-01_1.csv"), "{}", error.message);
}

#[tokio::test]
async fn an_export_of_which_too_much_is_rejected_is_refused_and_its_rows_are_kept() {
    let mut scene = Scene::new().await;
    scene.stage.loader.limits.rejections = warehouse_conformance::scene::few_rejections();
    let torn = ",nobody\n".repeat(4);
    scene.write("a_2026-02-01.csv", format!("{GOOD}{torn}"));
    let error = scene.execute("2026-02-10").await.unwrap_err();
    for part in
        ["4 of 6 rows", "line 4: company_id is empty", "--crm-max-rejected-share", "(a copy is kept as "]
    {
        assert!(error.message.contains(part), "{part:?} is not in {}", error.message);
    }
    assert_eq!(scene.quarantine().await.len(), 4);
    assert!(!scene.is_loaded("a_2026-02-01.csv", "2026-02-01").await);
}
