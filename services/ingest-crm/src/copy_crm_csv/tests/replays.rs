//! Exports that an operator has loaded again.

use warehouse::QuarantineFilter;

use super::*;

/// Its column of contacts has another name than the stage knows at first.
const RENAMED: &str = "company_id,name,last_contact_at,called\nacme,Acme,last week,2026-01-05\nbolt,Bolt,2026-01-04,2026-01-04\n";

impl Scene {
    /// The stage with a rule that reads the right column.
    fn mend_the_rule(&mut self) {
        let called = "last_contact_at=called".parse().unwrap();
        self.stage.loader.format.columns = ColumnNames::new(called, Preset::None);
    }

    /// Asks for everything in quarantine to be loaded again.
    async fn replay(&self) -> Vec<(String, bool)> {
        let asked = self.warehouse.request_replay(&QuarantineFilter::default(), at(5)).await.unwrap();
        asked.into_iter().map(|replay| (replay.origin, replay.was_loaded)).collect()
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.folder.path().join("crm").join(path)).unwrap();
    }
}

#[tokio::test]
async fn a_replayed_export_is_read_by_the_new_rule_although_it_is_the_same() {
    let mut scene = Scene::new().await;
    scene.write("crm_2026-02-01.csv", RENAMED);
    scene.execute("2026-02-10").await.unwrap();
    assert_eq!(scene.quarantine().await.len(), 1);
    scene.mend_the_rule();
    let outcome = scene.execute("2026-02-11").await.unwrap();
    assert_eq!(outcome.counters.rows_read, 0, "nobody has asked for it");

    assert_eq!(scene.replay().await, [("crm_2026-02-01.csv".to_owned(), true)]);
    let outcome = scene.execute("2026-02-12").await.unwrap();
    assert_eq!((outcome.counters.rows_read, outcome.counters.rows_written), (2, 1));
    assert_eq!(scene.quarantine().await, []);
    let outcome = scene.execute("2026-02-13").await.unwrap();
    assert_eq!(outcome.counters.rows_read, 0, "it is read once");
}

#[tokio::test]
async fn a_replayed_export_without_a_date_keeps_its_day() {
    let mut scene = Scene::new().await;
    scene.write("crm.csv", RENAMED);
    scene.execute("2026-02-10").await.unwrap();
    scene.mend_the_rule();
    scene.replay().await;
    scene.execute("2026-02-12").await.unwrap();
    assert_eq!(scene.quarantine().await, []);
    assert!(scene.is_loaded("crm.csv", "2026-02-10").await);
}

#[tokio::test]
async fn a_replayed_export_that_is_gone_is_read_from_its_copy() {
    let mut scene = Scene::new().await;
    scene.write("crm_2026-02-01.csv", RENAMED);
    scene.execute("2026-02-10").await.unwrap();
    scene.mend_the_rule();
    scene.remove("crm_2026-02-01.csv");
    scene.replay().await;
    let outcome = scene.execute("2026-02-12").await.unwrap();
    assert_eq!((outcome.counters.rows_read, outcome.counters.rows_written), (2, 1));
    assert_eq!(scene.quarantine().await, []);
    assert_eq!(scene.copies("crm_2026-02-01.csv").len(), 1);
    assert_eq!(scene.warehouse.crm_replays().await.unwrap(), []);
}

#[tokio::test]
async fn a_replayed_export_without_file_and_copy_is_named_until_it_is_back() {
    let mut scene = Scene::new().await;
    scene.write("crm_2026-02-01.csv", RENAMED);
    scene.execute("2026-02-10").await.unwrap();
    scene.mend_the_rule();
    scene.remove("crm_2026-02-01.csv");
    for (copy, _) in scene.copies("crm_2026-02-01.csv") {
        fs::remove_file(copy).unwrap();
    }
    scene.replay().await;
    let outcome = scene.execute("2026-02-12").await.unwrap();
    assert!(outcome.remarks[0].contains("crm_2026-02-01.csv is to be loaded again"), "{:?}", outcome.remarks);
    assert!(outcome.remarks[0].contains("put it back there"), "{:?}", outcome.remarks);
    assert_eq!(scene.quarantine().await.len(), 1);
    scene.write("crm_2026-02-01.csv", RENAMED);
    scene.execute("2026-02-13").await.unwrap();
    assert_eq!(scene.quarantine().await, []);
}

#[tokio::test]
async fn a_replay_that_is_refused_does_not_fail_the_next_runs() {
    let mut scene = Scene::new().await;
    scene.write("crm_2026-01-01.csv", "company_id,name,country\nacme,Acme,AT\nbolt,Bolt,DE\n");
    scene.execute("2026-02-09").await.unwrap();
    scene.stage.loader.format.columns = ColumnNames::new("country=".parse().unwrap(), Preset::None);
    scene.write("crm_2026-02-01.csv", "company_id,name,last_contact_at\nacme,Acme,\nbolt,Bolt,last week\n");
    scene.execute("2026-02-10").await.unwrap();
    scene.stage.loader.format.columns = CsvFormat::default().columns;
    // The header lacks a column, and the file is too large.
    for max_file_bytes in [scene.stage.max_file_bytes, 10] {
        scene.stage.max_file_bytes = max_file_bytes;
        assert_eq!(scene.replay().await, [("crm_2026-02-01.csv".to_owned(), true)]);
        scene.execute("2026-02-12").await.unwrap_err();
        assert_eq!(scene.warehouse.crm_replays().await.unwrap(), []);
        scene.execute("2026-02-13").await.unwrap();
    }
    assert!(scene.is_loaded("crm_2026-02-01.csv", "2026-02-01").await);
}

#[tokio::test]
async fn a_replayed_export_that_does_not_count_for_its_day_is_not_asked_for_for_ever() {
    let mut scene = Scene::new().await;
    scene.write("crm_2026-02-01_a.csv", RENAMED);
    scene.execute("2026-02-10").await.unwrap();
    scene.replay().await;
    scene.write("crm_2026-02-01_b.csv", "company_id,name\nacme,Acme\n");
    scene.stage.loader.same_day = SameDay::Last;
    let outcome = scene.execute("2026-02-12").await.unwrap();
    let remark = "crm_2026-02-01_a.csv is not read again: it is not the export that counts for its day";
    assert!(outcome.remarks.iter().any(|said| said == remark), "{:?}", outcome.remarks);
    assert_eq!(scene.warehouse.crm_replays().await.unwrap(), []);
}

#[tokio::test]
async fn an_older_delivery_of_a_path_is_not_replayed() {
    let scene = Scene::new().await;
    scene.write("crm.csv", RENAMED);
    scene.execute("2026-02-10").await.unwrap();
    scene.replay().await;
    // Another content for another day, of which nothing can be read.
    scene.write("crm.csv", "company_id,name,last_contact_at,called\n,Acme,,\n");
    scene.execute("2026-02-12").await.unwrap_err();
    assert_eq!(scene.warehouse.crm_replays().await.unwrap(), []);
    let refused = scene.quarantine().await;
    assert_eq!(scene.replay().await, [("crm.csv".to_owned(), false)]);
    scene.remove("crm.csv");
    scene.execute("2026-02-13").await.unwrap();
    assert_eq!(scene.quarantine().await, refused);
}
