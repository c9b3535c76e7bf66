//! Certificates and CAs are replaced under load.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tls::{ClientAuth, ClientTls, Reload};
use tonic::Status;

use crate::support::{Authority, Pair, TestServer, Volume, channel, check, serve};

/// Callers that never pause.
struct Load {
    /// How many calls over a connection that stays, and over new ones, have succeeded.
    calls: [Arc<AtomicUsize>; 2],
    failed: Arc<Mutex<Vec<Status>>>,
}

impl Load {
    fn begin(server: &Arc<TestServer>, client: &ClientTls) -> Self {
        let load = Self { calls: Default::default(), failed: Arc::default() };
        for (is_new, calls) in [false, true].into_iter().zip(&load.calls) {
            let (server, client, calls) = (server.clone(), client.clone(), calls.clone());
            let failed = load.failed.clone();
            let kept = channel(server.url(), &client);
            tokio::spawn(async move {
                loop {
                    let outcome = if is_new { server.call(&client).await } else { check(kept.clone()).await };
                    match outcome {
                        Ok(()) => _ = calls.fetch_add(1, Ordering::Relaxed),
                        Err(status) => failed.lock().unwrap().push(status),
                    }
                }
            });
        }
        load
    }

    /// Waits until both kinds of callers have called several times more, without a failure.
    async fn goes_on(&self) {
        let now = || self.calls.each_ref().map(|calls| calls.load(Ordering::Relaxed));
        let before = now();
        let progress = async {
            while now().into_iter().zip(before).any(|(now, before)| now < before + 5) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), progress).await.unwrap();
        let failed = self.failed.lock().unwrap();
        assert!(failed.is_empty(), "{failed:?}");
    }
}

fn files<'a>(pair: &'a Pair, ca: &'a str) -> [(&'static str, &'a str); 3] {
    [("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", ca)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_certificate_and_ca_is_replaced_without_a_failed_call() {
    let [old_servers, new_servers] = ["old servers", "new servers"].map(Authority::new);
    let [old_clients, new_clients] = ["old clients", "new clients"].map(Authority::new);
    let both_servers = old_servers.pem() + &new_servers.pem();
    let both_clients = old_clients.pem() + &new_clients.pem();
    let [old_server, new_server] = [&old_servers, &new_servers].map(|ca| ca.issue(&["localhost"]));
    let [old_client, new_client] =
        [(&old_clients, "spiffe://old"), (&new_clients, "spiffe://new")].map(|(ca, name)| ca.issue(&[name]));

    let mut of_server = Volume::new(&files(&old_server, &old_clients.pem()));
    let mut of_client = Volume::new(&files(&old_client, &old_servers.pem()));
    let (server_tls, client_tls) = (of_server.server(Some(ClientAuth::Required)), of_client.client());
    let outdated = of_client.client();
    let server = Arc::new(serve(&server_tls).await);
    let load = Load::begin(&server, &client_tls);
    load.goes_on().await;

    // Both sides first trust the new CAs as well, then show new certificates, then trust
    // the new CAs alone.
    of_client.publish(&files(&old_client, &both_servers));
    assert_eq!(client_tls.reload(), Reload::Replaced);
    load.goes_on().await;
    of_server.publish(&files(&old_server, &both_clients));
    assert_eq!(server_tls.reload(), Reload::Replaced);
    load.goes_on().await;
    of_server.publish(&files(&new_server, &both_clients));
    assert_eq!(server_tls.reload(), Reload::Replaced);
    load.goes_on().await;
    of_client.publish(&files(&new_client, &both_servers));
    assert_eq!(client_tls.reload(), Reload::Replaced);
    load.goes_on().await;
    of_client.publish(&files(&new_client, &new_servers.pem()));
    assert_eq!(client_tls.reload(), Reload::Replaced);
    load.goes_on().await;
    of_server.publish(&files(&new_server, &new_clients.pem()));
    assert_eq!(server_tls.reload(), Reload::Replaced);
    load.goes_on().await;

    // The connection that stayed is still the first one; new ones show the new certificate.
    let mut seen: Vec<_> =
        server.peers.lock().unwrap().iter().rev().take(20).flat_map(|peer| peer.names().uris).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["spiffe://new", "spiffe://old"]);
    let refused = server.call(&outdated).await.unwrap_err();
    assert!(refused.message().contains("no CA that is trusted here"), "{refused:?}");
}
