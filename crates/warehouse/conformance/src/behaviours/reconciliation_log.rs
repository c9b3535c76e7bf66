//! Comparisons with the product API, as they are on record.

use warehouse_core::{Reconciliation, ReconciliationId};

use crate::{
    engine::EngineUnderTest,
    scene::{at, days},
};

fn reconciliation(hour: i64) -> Reconciliation {
    Reconciliation {
        window: days(0, hour),
        companies: 2,
        sample_size: u32::MAX,
        requested_by: "token:ann".to_owned(),
        started_at: at(hour),
        ended_at: at(hour + 1),
        compared: 200,
        mismatches: 3,
        invalid_records: 1,
        awaiting_run: 2,
        by_kind: vec![(1, 2), (99, 1)],
    }
}

/// Comparisons are listed newest first, in pages.
pub async fn comparisons_are_listed_newest_first(warehouse: EngineUnderTest) {
    assert_eq!(warehouse.reconciliations(None, 10).await.unwrap(), []);
    let mut recorded: Vec<(ReconciliationId, Reconciliation)> = Vec::new();
    for hour in 0..3 {
        let ended = reconciliation(hour);
        recorded.insert(0, (warehouse.record_reconciliation(&ended).await.unwrap(), ended));
    }
    assert_eq!(warehouse.reconciliations(None, 10).await.unwrap(), recorded);
    assert_eq!(warehouse.reconciliations(None, 2).await.unwrap(), recorded[..2]);
    assert_eq!(warehouse.reconciliations(Some(recorded[1].0), 2).await.unwrap(), recorded[2..]);
}

/// Old comparisons are forgotten; a dry run only counts them.
pub async fn old_comparisons_are_forgotten(warehouse: EngineUnderTest) {
    for hour in 0..3 {
        warehouse.record_reconciliation(&reconciliation(hour)).await.unwrap();
    }
    // They end an hour after they begin; the one that ends at that time stays.
    let forget = async |dry_run| warehouse.forget_reconciliations_before(at(2), dry_run).await.unwrap();
    assert_eq!((forget(true).await, forget(true).await), (1, 1));
    assert_eq!((forget(false).await, forget(false).await), (1, 0));
    let left = warehouse.reconciliations(None, 10).await.unwrap();
    assert_eq!(
        left.into_iter().map(|(_, left)| left).collect::<Vec<_>>(),
        [reconciliation(2), reconciliation(1)]
    );
}
