//! Files that change while connections are made.

use std::{fs, sync::Arc, time::Duration};

use rustls::pki_types::UnixTime;
use time::{Duration as Days, OffsetDateTime};
use tls::{ClientAuth, DefaultTimeProvider, Reload, ServerTls, TimeProvider};
use tokio_util::sync::CancellationToken;

use crate::support::{Authority, Log, Volume, anonymous_client, serve, server_volume};

fn files([certificate, key, ca]: [&str; 3]) -> [(&'static str, &str); 3] {
    [("tls.crt", certificate), ("tls.key", key), ("ca.crt", ca)]
}

#[tokio::test]
async fn files_that_cannot_be_used_keep_the_ones_before_and_are_remarked_once() {
    let authority = Authority::new("servers");
    let (old, new) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
    let (ca, key) = (authority.pem(), &*new.key);
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let broken = [
        ([&*new.certificate, &old.key, &ca], "does not belong to the certificate file"),
        ([&half(&new.certificate), key, &ca], "certificate file"),
        ([&new.certificate, &half(key), &ca], "is broken: a section has no end"),
        (["", key, &ca], "has no certificate"),
        ([&new.certificate, &key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), &ca], "is not encrypted"),
        ([&new.certificate, &new.certificate, &ca], "has no key"),
        ([&new.certificate, key, ""], "the CA file"),
        ([&new.certificate, key, "no PEM at all"], "the CA file"),
    ];
    let mut volume = server_volume(&authority, &ca);
    let tls = volume.server(Some(ClientAuth::Optional));
    let server = serve(&tls).await;
    let client = anonymous_client(&authority);
    for (contents, expected) in broken {
        let (log, _guard) = Log::capture();
        volume.publish(&files(contents));
        let Reload::Kept(cause) = tls.reload() else { panic!("{expected}") };
        assert!(cause.to_string().contains(expected), "{expected}: {cause}");
        assert_eq!(tls.reload(), Reload::Unchanged, "{expected}");
        assert_eq!(log.text().matches("stay in use").count(), 1, "{}", log.text());
        for secret in key.lines().filter(|line| !line.starts_with("---")) {
            assert!(!log.text().contains(secret));
        }
        server.call(&client).await.unwrap();
    }
    volume.publish(&files([&new.certificate, key, &ca]));
    assert_eq!(tls.reload(), Reload::Replaced);
    assert_eq!(tls.reload(), Reload::Unchanged);
    server.call(&client).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_missing_for_a_while_is_read_again() {
    let authority = Authority::new("servers");
    let volume = server_volume(&authority, "");
    let tls = volume.server(None);
    let before = tls.expires_at();
    fs::remove_file(volume.path("tls.key")).unwrap();
    let Reload::Kept(cause) = tls.reload() else { panic!("it is missing") };
    assert!(cause.to_string().starts_with("cannot read the private key file /"), "{cause}");
    assert_eq!(tls.reload(), Reload::Unchanged);
    // Not links, but plain files, one after the other.
    let pair = authority.issue(&["localhost"]);
    fs::remove_file(volume.path("tls.crt")).unwrap();
    fs::write(volume.path("tls.crt"), pair.certificate).unwrap();
    fs::write(volume.path("tls.key"), pair.key).unwrap();
    assert_eq!(tls.reload(), Reload::Replaced);
    assert_eq!(tls.expires_at().is_some(), before.is_some());
}

#[tokio::test(start_paused = true)]
async fn files_are_watched_until_the_shutdown() {
    let authority = Authority::new("servers");
    let mut volume = server_volume(&authority, "");
    let tls = volume.server(None);
    let shutdown = CancellationToken::new();
    let watching = tokio::spawn(tls.clone().watch(Duration::from_secs(10), shutdown.clone()));
    let ends = OffsetDateTime::from_unix_timestamp(4_000_000_000).unwrap();
    let pair = authority.issue_for(&["localhost"], ends - Days::days(90), ends);
    volume.publish(&[("tls.crt", &pair.certificate), ("tls.key", &pair.key)]);
    let replaced = async {
        // The clock is paused: it is only moved on.
        while tls.expires_at().unwrap().timestamp() != ends.unix_timestamp() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), replaced).await.unwrap();
    shutdown.cancel();
    watching.await.unwrap();
}

/// A clock that stands at a second.
#[derive(Debug)]
struct Stopped(u64);

impl TimeProvider for Stopped {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0)))
    }
}

#[test]
fn a_certificate_that_was_not_renewed_is_warned_of_once() {
    let begins = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    let pair = Authority::new("servers").issue_for(&["localhost"], begins, begins + Days::days(10));
    let volume = Volume::new(&[("tls.crt", &pair.certificate), ("tls.key", &pair.key)]);
    for (day, expected) in [
        (1, ""),
        (9, "the server certificate expires soon and has not been renewed"),
        (11, "the server certificate has expired: peers refuse it"),
    ] {
        let (log, _guard) = Log::capture();
        let clock = Arc::new(Stopped(1_700_000_000 + day * 86_400));
        let tls = ServerTls::load(volume.server_files(None), clock).unwrap();
        assert_eq!(tls.reload(), Reload::Unchanged);
        assert_eq!(tls.expires_at().unwrap().to_rfc3339(), "2023-11-24T22:13:20+00:00");
        assert_eq!(log.text().lines().count(), usize::from(!expected.is_empty()), "{}", log.text());
        assert!(log.text().contains(expected), "{}", log.text());
    }
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start() {
    let authority = Authority::new("servers");
    let pair = authority.issue(&["localhost"]);
    let volume = Volume::new(&[("tls.crt", &pair.certificate), ("tls.key", &pair.key)]);
    let files = volume.server_files(Some(ClientAuth::Required));
    let cause = ServerTls::load(files, Arc::new(DefaultTimeProvider)).unwrap_err();
    assert!(cause.to_string().starts_with("cannot read the CA file /"), "{cause}");
}
