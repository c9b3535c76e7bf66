//! The table of services has a row for each, and every other list of services agrees with it.

use std::collections::BTreeSet;

use image::{
    compose::{Compose, environment},
    programs::binaries_of_services,
    read,
    services::rows,
};
use serde_json::Value;

fn with_stages() -> BTreeSet<String> {
    rows().unwrap().into_iter().filter(|row| row.stages).map(|row| row.name).collect()
}

#[test]
fn every_service_has_its_row() {
    let rows: BTreeSet<String> = rows().unwrap().into_iter().map(|row| row.name).collect();
    let programs = binaries_of_services().unwrap().into_iter();
    let services: BTreeSet<String> = programs.filter(|program| program != "activityctl").collect();
    assert_eq!(rows, services);
}

#[test]
fn the_coordinator_of_the_compose_file_calls_every_service_with_stages() {
    let compose = Compose::read().unwrap();
    let (_, coordinator) = compose.ours().find(|(name, _)| *name == "coordinator").unwrap();
    let variables = environment(coordinator);
    let (_, endpoints) = variables.iter().find(|(name, _)| name == "STAGE_ENDPOINT").unwrap();
    let called: BTreeSet<String> =
        endpoints.split(',').map(|endpoint| endpoint.split('=').next().unwrap().to_owned()).collect();
    assert_eq!(called, with_stages());
}

#[test]
fn every_stage_of_the_pipeline_files_is_one_of_a_service_with_stages() {
    let mut named = BTreeSet::new();
    for file in ["services/coordinator/pipeline.yaml", "docs/pipelines/with-events.yaml"] {
        let pipeline: Value = serde_saphyr::from_str(&read(file).unwrap()).unwrap();
        let stages = pipeline["stages"].as_array().unwrap().iter();
        named.extend(stages.map(|stage| stage["service"].as_str().unwrap().to_owned()));
    }
    assert_eq!(named, with_stages());
}
