//! Credentials that no longer are good, or never were, on real services.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use e2e::{
    binaries::Build,
    cli::{self, Outcome},
    found,
    issuer::{Issuer, Signer},
    process::{ANY_PORT, Process},
    secured::text,
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    volume::{Authority, Volume},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use crate::access::{call, hosts, methods};

const READ: &str = "company_activity.activity.v1.CompanyActivityService/GetFreshness";

fn with(mut claims: Value, claim: &str, value: Value) -> Value {
    claims[claim] = value;
    claims
}

/// What a method answers to a token.
async fn answer(channel: &Channel, method: &str, token: &str) -> Result<(Code, String)> {
    let status = call(channel.clone(), method, Some(&format!("Bearer {token}").parse()?)).await?;
    Ok((status.code(), status.message().to_owned()))
}

#[tokio::test]
async fn no_method_of_any_service_takes_a_token_that_is_not_good() -> Result<()> {
    let (signer, stranger) = (Signer::new("one")?, Signer::new("one")?);
    let issuer = Issuer::start(&[&signer]).await?;
    let folder = tempfile::tempdir()?;
    let policy = folder.path().join("access.yaml");
    fs::write(&policy, issuer.policy())?;
    let suite =
        Suite::start(Layout::Separate, Settings::default().variable("ACCESS_FILE", text(&policy)?)).await?;

    let good = issuer.claims("alice");
    let past = json!(good["iat"].as_i64().context("no time")? - 60);
    let bad = [
        (signer.sign(&with(good.clone(), "exp", past))?, "the token expired at"),
        (signer.sign(&with(good.clone(), "aud", json!("payroll")))?, "the token is for another audience"),
        (signer.sign(&with(good.clone(), "iss", json!("https://login.example")))?, "the token's issuer"),
        (signer.forge_by_public_key(&good), "the token's algorithm HS256 is not allowed"),
        (signer.leave_unsigned(&good), "the token's algorithm none is not allowed"),
        (stranger.sign(&good)?, "the token's signature does not match"),
        ("eyJ".to_owned(), "the token is malformed"),
    ];
    let good = signer.sign(&good)?;
    let mut checked = 0;
    for method in methods()? {
        for host in hosts(&method)? {
            let channel = Endpoint::from_shared(suite.url_of(host)?)?.connect_lazy();
            let missing = call(channel.clone(), &method, None).await?;
            assert_eq!(missing.code(), Code::Unauthenticated, "{host} {method}: {missing:?}");
            for (token, reason) in &bad {
                let (code, message) = answer(&channel, &method, token).await?;
                assert_eq!(code, Code::Unauthenticated, "{host} {method}: {message}");
                assert!(message.starts_with(reason), "{host} {method}: {message}");
                assert!(!message.contains(token), "{host} {method}: {message}");
            }
            let (code, message) = answer(&channel, &method, &good).await?;
            assert!(
                ![Code::Unauthenticated, Code::PermissionDenied].contains(&code),
                "{host} {method}: {message}"
            );
            checked += 1;
        }
    }
    assert!(checked >= 18, "only {checked} methods");
    Ok(())
}

/// A service that follows a policy and, in a volume, certificates.
pub(crate) async fn activity(folder: &TempDir, policy: &str, volume: Option<&Volume>) -> Result<Process> {
    let file = |name: &str| folder.path().join(name).display().to_string();
    fs::write(file("access.yaml"), policy)?;
    let warehouse = format!("sqlite://{}", file("warehouse.sqlite"));
    let mut arguments =
        vec!["--warehouse-url".to_owned(), warehouse, "--access-file".to_owned(), file("access.yaml")];
    for (flag, name) in
        [("--tls-cert-file", "tls.crt"), ("--tls-key-file", "tls.key"), ("--tls-client-ca-file", "ca.crt")]
    {
        let path = volume.map(|volume| volume.file(name).display().to_string());
        arguments.extend(path.into_iter().flat_map(|path| [flag.to_owned(), path]));
    }
    Process::start(Build::Current, "activity", ANY_PORT, arguments, &[]).await
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_their_issuer_once_in_ten_seconds() -> Result<()> {
    let signer = Signer::new("one")?;
    let (issuer, folder) = (Issuer::start(&[&signer]).await?, tempfile::tempdir()?);
    let process = activity(&folder, &issuer.policy(), None).await?;
    let channel = Endpoint::from_shared(process.url())?.connect_lazy();
    let good = signer.sign(&issuer.claims("alice"))?;
    let is_admitted =
        async || -> Result<bool> { Ok(answer(&channel, READ, &good).await?.0 != Code::Unauthenticated) };
    assert!(is_admitted().await?);

    let flood_until_asked = async |times: usize| {
        found("another request for keys", async || {
            for number in 0..10 {
                let unknown = Signer::new(&format!("unknown-{number}"))?.sign(&issuer.claims("mallory"))?;
                let (code, message) = answer(&channel, READ, &unknown).await?;
                assert_eq!(code, Code::Unauthenticated, "{message}");
                assert_eq!(message, "the token is signed with a key that people does not have");
            }
            assert!(is_admitted().await?, "a good token is refused during the flood");
            Ok((issuer.asked().len() >= times).then_some(()))
        })
        .await
    };
    flood_until_asked(2).await?;
    let asked: Vec<Instant> = issuer.asked();
    assert_eq!(asked.len(), 2, "once for the first token, once for all unknown keys");
    // Both measured where they arrive, so a slow answer may take some of the ten seconds.
    let between = asked[1] - asked[0];
    assert!(between >= Duration::from_secs(9), "asked again after {between:?}");
    Ok(())
}

#[tokio::test]
async fn a_certificate_whose_ca_was_replaced_no_longer_gets_in() -> Result<()> {
    let servers = Authority::new("servers")?;
    let (old, new) = (Authority::new("old clients")?, Authority::new("new clients")?);
    let own = servers.for_loopback()?;
    let mut volume = Volume::new(&own, &old.pem())?;
    let policy = "grants: [{identity: \"spiffe://company/dashboard\", roles: [reader]}]\n";
    let folder = tempfile::tempdir()?;
    let process = activity(&folder, policy, Some(&volume)).await?;
    let server = format!("https://{}", process.address());
    let ask = async |client: &Volume| -> Result<Outcome> {
        let (ca, certificate, key) = (client.file("ca.crt"), client.file("tls.crt"), client.file("tls.key"));
        let mut arguments = vec!["freshness", "--server", &server, "--tls-ca-file", text(&ca)?];
        arguments.extend(["--tls-client-cert-file", text(&certificate)?]);
        arguments.extend(["--tls-client-key-file", text(&key)?]);
        cli::run(ACTIVITYCTL, &arguments, &[]).await
    };
    let [before, after] = [&old, &new].map(|ca| -> Result<Volume> {
        Volume::new(&ca.for_id("spiffe://company/dashboard")?, &servers.pem())
    });
    let (before, after) = (before?, after?);
    ask(&before).await?.success()?;
    assert_eq!(ask(&after).await?.code, 1, "a certificate of a CA that nobody trusts yet");

    volume.publish(&own, &new.pem())?;
    let refused = found("the end of the old certificate", async || {
        let outcome = ask(&before).await?;
        Ok((outcome.code != 0).then_some(outcome))
    })
    .await?;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("it refused the client certificate"), "{}", refused.stderr);
    ask(&after).await?.success()?;
    Ok(())
}
