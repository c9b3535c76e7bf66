//! TLS between processes: what is wrong is said, and certificates are renewed in place.

use std::{fs, path::Path};

use anyhow::Result;
use e2e::{
    binaries::Build,
    cli, found,
    process::{ANY_PORT, Process},
    secured::{Secured, text},
    suite::ACTIVITYCTL,
};
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// A service that serves TLS, or plain text.
async fn activity(secured: Option<&Secured>, folder: &Path) -> Result<Process> {
    let warehouse = format!("sqlite://{}", folder.join("warehouse.sqlite").display());
    let mut arguments = vec!["--warehouse-url".to_owned(), warehouse];
    if let Some(secured) = secured {
        for (flag, file) in [("--tls-cert-file", "tls.crt"), ("--tls-key-file", "tls.key")] {
            arguments.extend([flag.to_owned(), text(&secured.file(file))?.to_owned()]);
        }
    }
    Process::start(Build::Current, "activity", ANY_PORT, arguments, &[]).await
}

/// The standard error of a query, which must fail.
async fn failure(server: &str, flags: &[&str]) -> Result<String> {
    let arguments = [&["freshness", "--server", server], flags].concat();
    let outcome = cli::run(ACTIVITYCTL, &arguments, &[]).await?;
    assert_eq!(outcome.code, 1, "{outcome:?}");
    Ok(outcome.stderr)
}

#[tokio::test]
async fn whoever_connects_the_wrong_way_learns_the_right_one() -> Result<()> {
    let (secured, folder) = (Secured::new()?, tempfile::tempdir()?);
    let other = Secured::new()?;
    let (ca, other_ca) = (secured.file("ca.crt"), other.file("ca.crt"));
    let token = secured.token_file("person");
    let with_tls = activity(Some(&secured), folder.path()).await?;
    let plain = activity(None, folder.path()).await?;

    let stderr = failure(&format!("http://{}", with_tls.address()), &[]).await?;
    assert!(stderr.contains("the port speaks TLS, not plain text: use https://"), "{stderr}");
    let tls_to_plain = format!("https://{}", plain.address());
    let stderr = failure(&tls_to_plain, &["--tls-ca-file", text(&ca)?]).await?;
    assert!(stderr.contains("the port speaks plain text, not TLS: use http://"), "{stderr}");
    let server = format!("https://{}", with_tls.address());
    let stderr = failure(&server, &["--tls-ca-file", text(&other_ca)?]).await?;
    assert!(stderr.contains("--tls-ca-file"), "{stderr}");
    let stderr = failure(&server, &["--tls-ca-file", "/nowhere/ca.crt"]).await?;
    assert!(stderr.contains("/nowhere/ca.crt"), "{stderr}");
    let stderr = failure("http://activity.invalid:1", &["--token-file", text(&token)?]).await?;
    assert!(stderr.contains("in the clear") && stderr.contains("--token-over-plain-text"), "{stderr}");

    let arguments = ["freshness", "--server", &server, "--tls-ca-file", text(&ca)?];
    cli::run(ACTIVITYCTL, &arguments, &[]).await?.success()?;
    Ok(())
}

async fn is_answered(channel: Channel) -> bool {
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_ok()
}

#[tokio::test]
async fn a_certificate_is_renewed_while_calls_go_on() -> Result<()> {
    let (secured, folder) = (Secured::new()?, tempfile::tempdir()?);
    let process = activity(Some(&secured), folder.path()).await?;
    let url = format!("https://{}", process.address());
    let before = secured.channel(url.clone(), "ca.crt")?;
    assert!(is_answered(before.clone()).await);

    secured.renew_certificate("next.crt")?;
    found("the new certificate", async || {
        assert!(is_answered(before.clone()).await, "a connection from before was lost");
        let is_new = is_answered(secured.channel(url.clone(), "next.crt")?).await;
        Ok(is_new.then_some(()))
    })
    .await?;
    assert!(is_answered(before).await, "a connection from before was lost");
    assert!(
        !is_answered(secured.channel(url.clone(), "ca.crt")?).await,
        "the old certificate is still there"
    );

    // What cannot be used leaves the certificate from before in place.
    fs::write(secured.file("tls.crt"), "no certificate")?;
    found("the refusal of a broken file", async || {
        assert!(is_answered(secured.channel(url.clone(), "next.crt")?).await);
        Ok(process.log().contains("cannot be used").then_some(()))
    })
    .await?;
    assert!(is_answered(secured.channel(url, "next.crt")?).await);
    Ok(())
}
