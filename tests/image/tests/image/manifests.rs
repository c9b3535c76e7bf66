//! The development manifests run the same images as the compose file, and our
//! program with valid settings.

use std::{collections::BTreeSet, fs, path::PathBuf};

use image::{
    compose::{Compose, IMAGE},
    programs::check_start,
    read, workspace_root,
};
use serde_json::Value;

/// Every container of every pod below k8s/dev.
fn containers() -> Vec<Value> {
    let mut found = Vec::new();
    for file in files() {
        for document in fs::read_to_string(&file).unwrap().split("\n---\n") {
            let document: Value = serde_saphyr::from_str(document).unwrap();
            let pod = &document["spec"]["template"]["spec"];
            for kind in ["initContainers", "containers"] {
                found.extend(pod[kind].as_array().into_iter().flatten().cloned());
            }
        }
    }
    assert!(found.len() > 5, "{found:?}");
    found
}

fn files() -> Vec<PathBuf> {
    let folders = fs::read_dir(workspace_root().join("k8s/dev")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect()
}

#[test]
fn compose_and_kubernetes_run_the_same_images() {
    let compose = Compose::read().unwrap();
    let known: BTreeSet<String> =
        compose.all().filter_map(|(_, container)| Some(container["image"].as_str()?.to_owned())).collect();
    for container in containers() {
        let image = container["image"].as_str().unwrap();
        assert!(known.contains(image), "{image} is not in docker/compose.yaml: {known:?}");
    }
}

#[test]
fn azurite_is_the_one_that_the_tests_use() {
    let packages: Value = serde_json::from_str(&read("tests/setup/node/package.json").unwrap()).unwrap();
    let version = packages["dependencies"]["azurite"].as_str().unwrap();
    let image = format!("mcr.microsoft.com/azure-storage/azurite:{version}");
    assert!(containers().iter().any(|container| container["image"] == image.as_str()), "{image}");
}

#[test]
fn our_program_is_started_with_what_it_knows() {
    let ours = containers().into_iter().filter(|it| it["image"].as_str().unwrap().starts_with(IMAGE));
    let mut checked = 0;
    for container in ours {
        let words = container["command"].as_array().unwrap().iter();
        let line: Vec<String> = words.map(|word| word.as_str().unwrap().to_owned()).collect();
        let variables = container["env"].as_array().into_iter().flatten();
        // Values from Secrets do not matter here.
        let environment: Vec<(String, String)> =
            variables.map(|it| (it["name"].as_str().unwrap().to_owned(), "secret".to_owned())).collect();
        check_start(&line, &environment).unwrap_or_else(|error| panic!("{line:?}: {error:#}"));
        checked += 1;
    }
    assert_eq!(checked, 3);
}

#[test]
fn no_pod_has_more_privileges_than_it_needs() {
    for container in containers() {
        let security = &container["securityContext"];
        assert_eq!(security["allowPrivilegeEscalation"], false, "{container}");
        assert_eq!(security["readOnlyRootFilesystem"], true, "{container}");
        assert_eq!(security["capabilities"]["drop"][0], "ALL", "{container}");
    }
}

#[test]
fn the_secrets_have_the_names_and_keys_of_the_charts_defaults() {
    let made: Value = serde_saphyr::from_str(&read("k8s/dev/kustomization.yaml").unwrap()).unwrap();
    let made: BTreeSet<(String, String)> = made["secretGenerator"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|secret| {
            let keys = secret["literals"].as_array().unwrap().iter();
            let keys = keys.map(|it| it.as_str().unwrap().split_once('=').unwrap().0.to_owned());
            keys.map(|key| (secret["name"].as_str().unwrap().to_owned(), key))
        })
        .collect();
    let values: Value = serde_saphyr::from_str(&read("helm/company-activity/values.yaml").unwrap()).unwrap();
    for (section, key) in [
        (&values["warehouse"], "key"),
        (&values["productApi"], "key"),
        (&values["storage"]["azure"], "connectionStringKey"),
    ] {
        let secret = section["existingSecret"].as_str().unwrap().to_owned();
        let key = section[key].as_str().unwrap().to_owned();
        assert!(
            made.contains(&(secret.clone(), key.clone())),
            "k8s/dev makes no {secret} with {key}: {made:?}"
        );
    }
}
