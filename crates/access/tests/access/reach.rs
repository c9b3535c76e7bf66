//! Which addresses are asked for keys.

use tonic::Code;

use crate::{
    issuers_over_tls::{authority, start},
    support::{Folder, READ, Signer, answer, claims, name, policy_of, refused, with_token},
};

const SETTING: &str = "allow_private: true";

#[test]
fn a_private_address_takes_a_setting_and_a_clouds_metadata_none() {
    let folder = Folder::new();
    for (address, allowed) in [
        ("10.0.0.7", true),
        ("192.168.1.1:8443", true),
        ("[fd00::1]", true),
        ("169.254.169.254", false),
        ("[fd00:ec2::254]", false),
        ("0.0.0.0", false),
    ] {
        for (issuer, more, line) in [
            (format!("https://{address}/realm"), String::new(), 3),
            ("https://login.example.org".to_owned(), format!("jwks_uri: https://{address}/keys"), 5),
        ] {
            let error = folder.try_access(&policy_of(&issuer, &more)).unwrap_err().to_string();
            assert!(error.contains(&format!("access.yaml:{line}:")), "{error}");
            assert_eq!(error.contains(SETTING), allowed, "{error}");
            let more = format!("{more}\n    {SETTING}");
            let outcome = folder.try_access(&policy_of(&issuer, &more));
            assert_eq!(outcome.is_ok(), allowed, "{issuer} {more}");
        }
    }
}

#[test]
fn the_setting_is_for_keys_that_are_fetched() {
    let folder = Folder::new();
    let signer = Signer::ed("d");
    folder.write("jwks.json", &crate::support::key_set(&[&signer]).to_string());
    let policy = policy_of("https://login.example.org", &format!("jwks_file: jwks.json\n    {SETTING}"));
    let error = folder.try_access(&policy).unwrap_err().to_string();
    assert!(error.contains("access.yaml:6:") && error.contains("not for jwks_file"), "{error}");
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_takes_the_setting_too() {
    let authority = authority();
    let signer = Signer::ed("d");
    let url = start(&authority, &signer, "localhost", "/keys").await;
    let folder = Folder::new();
    folder.write("ca.crt", &authority.pem());
    let token = signer.sign(&claims(&url));
    for (setting, admitted) in [("", false), ("allow_private: false", false), (SETTING, true)] {
        let access = folder.access(&policy_of(&url, &format!("ca_file: ca.crt\n    {setting}")));
        if admitted {
            assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
        } else {
            refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
        }
    }
}

#[tokio::test]
async fn an_issuer_cannot_send_us_where_its_policy_would_not_let_us_go() {
    let authority = authority();
    let signer = Signer::ed("d");
    let folder = Folder::new();
    folder.write("ca.crt", &authority.pem());
    for keys in ["https://169.254.169.254/keys", "http://localhost/keys"] {
        let url = start(&authority, &signer, "localhost", keys).await;
        let access = folder.access(&policy_of(&url, &format!("ca_file: ca.crt\n    {SETTING}")));
        let token = signer.sign(&claims(&url));
        refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
    }
}
