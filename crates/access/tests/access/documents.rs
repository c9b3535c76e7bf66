//! docs/access.md works as it is written.

use std::{collections::BTreeSet, process::Command};

use access::{Access, Admission, Role, methods};
use serde_json::{Value, json};

use crate::support::{
    Folder, READ, Signer, answer, call, claims_with, key_set, roles, with_certificate, with_token,
};

const DOCUMENT: &str = include_str!("../../../../docs/access.md");

/// A method for each role.
const CALLS: [(Role, &str); 4] = [
    (Role::Reader, READ),
    (Role::Operator, "/company_activity.pipeline.v1.PipelineService/TriggerRun"),
    (Role::Stage, "/company_activity.stage.v1.StageService/ExecuteStage"),
    (Role::Alerts, "/company_activity.notifier.v1.NotifierService/Notify"),
];

/// The part of the document under a heading.
fn section(heading: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("# {heading}\n")).unwrap();
    rest.split("\n##").next().unwrap()
}

fn block(heading: &str, language: &str, begins: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let mut blocks = section(heading).split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.starts_with(begins)).unwrap()
}

/// The cells of the tables under a heading, row by row.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let rows = section(heading).lines().filter(|line| line.starts_with("| "));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What stands in back ticks.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The policy with the issuer's keys in a file: tests cannot ask the real one.
fn with_keys(folder: &Folder, policy: &str, signer: &Signer) -> Access {
    folder.write("jwks.json", &key_set(&[signer]).to_string());
    let lines = policy.lines().filter(|line| {
        let key = line.trim_start().split(':').next().unwrap();
        !["jwks_uri", "ca_file", "token_file", "allow_private"].contains(&key)
    });
    let policy: String = lines
        .flat_map(|line| [line, if line.contains("audiences:") { "    jwks_file: jwks.json" } else { "" }])
        .flat_map(|line| [line, "\n"])
        .collect();
    folder.access(&policy)
}

fn token(signer: &Signer, issuer: &str, subject: &str, claim: &str, value: Value) -> String {
    let mut claims = claims_with(claim, value);
    claims["iss"] = issuer.into();
    claims["sub"] = subject.into();
    signer.sign(&claims)
}

/// The roles whose methods a call may make.
async fn opened(access: &Access, call_of: impl Fn(&str) -> http::Request<()>) -> BTreeSet<Role> {
    let mut opened = BTreeSet::new();
    for (role, path) in CALLS {
        if answer(access, call_of(path)).await.is_ok() {
            opened.insert(role);
        }
    }
    opened
}

#[test]
fn the_table_of_roles_is_that_of_the_code() {
    let rows = rows("Roles");
    assert_eq!(rows.len(), Role::ALL.len() + 1);
    for role in Role::ALL {
        let name = format!("`{role}`");
        let row = rows.iter().find(|row| row[0] == name).unwrap();
        let is_open =
            |admission: Admission| matches!(admission, Admission::Roles(roles) if roles.contains(&role));
        let services: BTreeSet<_> = methods().map(|(method, _)| method.split_once('/').unwrap().0).collect();
        let mut expected = BTreeSet::new();
        for service in services {
            let of_it = |(method, _): &(&str, Admission)| method.split_once('/').unwrap().0 == service;
            let (_, short) = service.rsplit_once('.').unwrap();
            if methods().filter(of_it).all(|(_, admission)| is_open(admission)) {
                expected.insert(short.to_owned());
                continue;
            }
            for (method, _) in methods().filter(of_it).filter(|(_, admission)| is_open(*admission)) {
                expected.insert(format!("{short}/{}", method.split_once('/').unwrap().1));
            }
        }
        assert_eq!(quoted(row[1]), expected, "{role}");
    }
}

#[test]
fn every_key_of_the_policy_is_explained() {
    let folder = Folder::new();
    let keys = |heading: &str| rows(heading).iter().flat_map(|row| quoted(row[0])).collect::<BTreeSet<_>>();
    let unknown = |policy: &str| {
        let message = folder.try_access(policy).unwrap_err().to_string();
        let (_, known) = message.split_once("expected one of").unwrap();
        known.split(|c: char| !c.is_ascii_lowercase() && c != '_').map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let named = |policy: &str| {
        let mut names = unknown(policy);
        names.remove("");
        names
    };
    assert_eq!(keys("The policy file"), named("x: 1"));
    assert_eq!(keys("Issuers"), named("issuers: [{x: 1}]"));
    let mut grants = keys("Grants");
    grants.insert("roles".to_owned());
    assert_eq!(grants, named("grants: [{x: 1}]"));
}

#[tokio::test]
async fn pods_get_the_roles_of_their_service_accounts() {
    let policy = block("Pods, by the tokens of their cluster", "yaml", "issuers:");
    let signer = Signer::rsa("k");
    let folder = Folder::new();
    let access = with_keys(&folder, policy, &signer);
    let account = |name: &str| format!("system:serviceaccount:{name}");
    let cases = [
        ("company-activity:company-activity-coordinator", vec![Role::Stage, Role::Alerts]),
        ("company-activity:company-activity-trigger", vec![Role::Operator]),
        ("company-activity:company-activity-transform", vec![]),
        ("reporting:notebook", vec![Role::Reader]),
        ("reporting2:notebook", vec![]),
    ];
    for (name, expected) in cases {
        let issuer = "https://kubernetes.default.svc.cluster.local";
        let kubernetes = json!({"namespace": name.split(':').next()});
        let token = token(&signer, issuer, &account(name), "kubernetes.io", kubernetes);
        let opened = opened(&access, |path| with_token(path, &token)).await;
        assert_eq!(opened, expected.into_iter().collect(), "{name}");
    }
}

#[tokio::test]
async fn the_policy_for_pods_loads_beside_the_files_that_it_names() {
    let policy = block("Pods, by the tokens of their cluster", "yaml", "issuers:");
    let folder = Folder::new();
    let error = folder.try_access(policy).unwrap_err().to_string();
    assert!(error.contains("cluster/ca.crt: the file cannot be read"), "{error}");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    std::fs::create_dir(folder.write("x", "").with_file_name("cluster")).unwrap();
    folder.write("cluster/ca.crt", &certificate.pem());
    folder.write("cluster/token", "token");
    folder.access(policy);
}

#[tokio::test]
async fn people_get_the_roles_of_their_groups() {
    let policy = block("People, by an identity provider", "yaml", "issuers:");
    Folder::new().access(policy);
    let signer = Signer::rsa("k");
    let folder = Folder::new();
    let access = with_keys(&folder, policy, &signer);
    let cases = [
        ("1", "groups", json!(["data-analysts", "x"]), vec![Role::Reader]),
        ("1", "groups", json!(["x"]), vec![]),
        ("1", "realm_access", json!({"roles": ["pipeline-operator"]}), vec![Role::Reader, Role::Operator]),
        ("248289761001", "email", json!("a@b"), vec![Role::Operator]),
    ];
    for (subject, claim, value, expected) in cases {
        let issuer = "https://login.mycompany.com/realms/company";
        let token = token(&signer, issuer, subject, claim, value);
        let opened = opened(&access, |path| with_token(path, &token)).await;
        assert_eq!(opened, expected.into_iter().collect(), "{subject} {claim}");
    }
}

#[tokio::test]
async fn machines_get_the_roles_of_their_certificates() {
    let access = Folder::new().access(block("Machines, by client certificates", "yaml", "grants:"));
    let cases = [
        (
            vec!["spiffe://mycompany.com/ns/company-activity/sa/coordinator"],
            vec![],
            vec![Role::Stage, Role::Alerts],
        ),
        (vec!["spiffe://mycompany.com/ns/reporting/sa/notebook"], vec![], vec![Role::Reader]),
        (vec!["spiffe://mycompany.com/ns/other/sa/notebook"], vec![], vec![]),
        (vec![], vec!["dashboards.mycompany.com"], vec![Role::Reader]),
    ];
    for (uris, dns_names, expected) in cases {
        let opened = opened(&access, |path| with_certificate(call(path), &uris, &dns_names)).await;
        assert_eq!(opened, expected.into_iter().collect(), "{uris:?} {dns_names:?}");
    }
}

#[tokio::test]
async fn a_static_token_is_made_by_what_is_typed() {
    let section = "Anybody else, by static tokens";
    let folder = Folder::new();
    let file = folder.write("alice", "");
    for line in block(section, "console", "$").lines() {
        let command = line.strip_prefix("$ ").unwrap();
        let typed = Command::new("sh").args(["-ec", command]).current_dir(file.parent().unwrap()).status();
        assert!(typed.unwrap().success(), "{command}");
    }
    let token = std::fs::read_to_string(file).unwrap();
    let access = folder.access(block(section, "yaml", "static_tokens_file:"));
    assert_eq!(roles(&access, with_token(READ, token)).await, [Role::Reader, Role::Operator].into());
}
