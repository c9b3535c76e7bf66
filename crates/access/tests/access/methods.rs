//! The table of methods, held to the contracts.

use std::collections::{BTreeMap, BTreeSet};

use access::{Access, Admission, Role, admission, methods};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Code;

use crate::support::{Folder, answer, call, name, refused, with_certificate};

fn contract() -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut methods = BTreeSet::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                methods.insert(format!("{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    methods
}

#[test]
fn every_method_of_the_contracts_has_its_roles() {
    let contract = contract();
    assert!(contract.len() >= 18);
    for method in &contract {
        let admits = admission(&format!("/{method}"));
        // Whoever it is may ask who that is, and what they may do.
        if method.ends_with("AccessService/GetCaller") {
            assert_eq!(admits, Some(Admission::AnyCaller));
            continue;
        }
        assert!(
            matches!(admits, Some(Admission::Roles(roles)) if !roles.is_empty()),
            "{method} has no role: decide who may call it, in crates/access/src/methods.rs"
        );
    }
    let listed: BTreeSet<_> = methods().map(|(method, _)| method.to_owned()).collect();
    assert_eq!(listed.len(), methods().count(), "a method is listed twice");
    for method in listed.iter().filter(|method| !method.starts_with("grpc.")) {
        assert!(contract.contains(method), "{method} is no longer in the contracts");
    }
}

#[test]
fn roles_open_the_services_that_they_are_for() {
    let mut opened: BTreeMap<Role, BTreeSet<String>> = BTreeMap::new();
    for (method, admits) in methods() {
        let Admission::Roles(roles) = admits else { continue };
        for role in roles {
            // Readers may also ask how numbers came about, wherever that is answered: why one is
            // what it is, and which runs made it.
            let is_asked_by_readers =
                ["/Explain", "/GetRun", "/ListRuns", "/WatchRun"].iter().any(|name| method.ends_with(name));
            if *role == Role::Reader && is_asked_by_readers {
                continue;
            }
            let service = method.split('/').next().unwrap().rsplit('.').next().unwrap();
            opened.entry(*role).or_default().insert(service.to_owned());
        }
    }
    let expected = [
        (Role::Reader, vec!["CompanyActivityService", "MonitoringService", "ProvenanceService"]),
        (
            Role::Operator,
            vec![
                "MonitoringService",
                "PipelineService",
                "ProvenanceService",
                "QuarantineService",
                "ReconciliationService",
            ],
        ),
        (Role::Stage, vec!["ProvenanceService", "ReconciliationService", "StageService"]),
        (Role::Alerts, vec!["NotifierService"]),
    ];
    for (role, services) in expected {
        assert_eq!(opened[&role], services.into_iter().map(str::to_owned).collect(), "{role}");
    }
}

#[tokio::test]
async fn each_role_opens_its_methods_and_no_other() {
    let policy = "grants:\n".to_owned()
        + &Role::ALL.map(|role| format!("  - {{identity: \"dns:{role}\", roles: [{role}]}}\n")).concat();
    let access = Folder::new().access(&policy);
    for (method, admits) in methods() {
        for role in Role::ALL {
            let path = format!("/{method}");
            let answer = answer(&access, with_certificate(call(&path), &[], &[role.name()])).await;
            match admits {
                Admission::Everybody => assert_eq!(answer.unwrap(), None),
                Admission::AnyCaller => assert!(answer.unwrap().unwrap().holds(role)),
                Admission::Roles(roles) if roles.contains(&role) => assert!(answer.is_ok(), "{method}"),
                Admission::Roles(roles) => {
                    let message = refused(answer, Code::PermissionDenied);
                    let needed = roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" or ");
                    assert_eq!(
                        message,
                        format!("dns:{role} may not call {method}: that takes the role {needed}")
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_credential_but_to_the_health() {
    let access = Folder::new().access("grants: [{identity: \"dns:a\", roles: [reader]}]");
    for (method, admits) in methods() {
        let answer = answer(&access, call(&format!("/{method}"))).await;
        if admits == Admission::Everybody {
            assert!(method.starts_with("grpc.health.v1.Health/"));
            assert_eq!(answer.unwrap(), None);
        } else {
            refused(answer, Code::Unauthenticated);
        }
    }
}

#[tokio::test]
async fn a_caller_without_any_role_may_ask_for_reflection_alone() {
    let access = Folder::new().access("grants: [{identity: \"dns:a\", roles: [reader]}]");
    for (method, admits) in methods() {
        let answer = answer(&access, with_certificate(call(&format!("/{method}")), &[], &["b"])).await;
        match admits {
            Admission::Roles(_) => _ = refused(answer, Code::PermissionDenied),
            Admission::AnyCaller => assert_eq!(answer.unwrap().unwrap().roles().count(), 0),
            Admission::Everybody => assert!(answer.is_ok()),
        }
    }
}

#[tokio::test]
async fn a_method_that_is_not_in_the_table_is_closed() {
    let policy = "grants: [{identity: \"dns:a\", roles: [reader, operator, stage, alerts]}]";
    let access = Folder::new().access(policy);
    for path in [
        "/company_activity.pipeline.v1.PipelineService/DropEverything",
        "/company_activity.pipeline.v1.PipelineService/TriggerRun/",
        "//company_activity.pipeline.v1.PipelineService/TriggerRun",
        "/company_activity.pipeline.v1.pipelineservice/triggerrun",
        "/grpc.health.v1.Health/",
        "/grpc.health.v1.Health/Check/x",
        "/",
    ] {
        refused(answer(&access, call(path)).await, Code::Unauthenticated);
        let answer = answer(&access, with_certificate(call(path), &[], &["a"])).await;
        let message = refused(answer, Code::PermissionDenied);
        assert!(message.contains("no such method that a role opens"), "{message}");
    }
}

#[tokio::test]
async fn an_open_server_admits_everybody_as_anonymous() {
    let access = Access::open();
    for (method, admits) in methods() {
        let path = format!("/{method}");
        if admits == Admission::Everybody {
            assert_eq!(answer(&access, call(&path)).await.unwrap(), None);
        } else {
            assert_eq!(name(&access, call(&path)).await, "anonymous");
        }
    }
}

#[tokio::test]
async fn nobody_brings_a_caller_along() {
    let access = Folder::new().access("grants: [{identity: \"dns:a\", roles: [reader]}]");
    let admitted = answer(&Access::open(), call("/x")).await.unwrap().unwrap();
    let mut health = call("/grpc.health.v1.Health/Check");
    health.extensions_mut().insert(admitted);
    assert_eq!(answer(&access, health).await.unwrap(), None);
}
