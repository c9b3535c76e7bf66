//! The behaviours that every storage engine must show, on Postgres.

mod migrated;

warehouse_conformance::suite!(crate::migrated::open);
