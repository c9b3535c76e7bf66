//! Certificates, CAs and keys of tokens are replaced while calls go on.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    found,
    issuer::{Issuer, Signer},
    volume::{Authority, Volume},
};
use proto::activity::v1::{
    GetFreshnessRequest, company_activity_service_client::CompanyActivityServiceClient,
};
use tls::{ClientTls, ConnectOptions, Reload};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Request, Status,
    codegen::Service as _,
    transport::{Channel, Endpoint},
};

use crate::credentials::activity;

/// How often a service asks for keys at most. A key is used once it has been published for
/// longer, as issuers do.
const BETWEEN_REQUESTS: Duration = Duration::from_secs(10);

/// How many calls of each caller are waited for after a change.
const MORE_CALLS: usize = 5;

fn channel(server: &Endpoint, tls: &ClientTls) -> Channel {
    server.connect_with_connector_lazy(tls.connector(&ConnectOptions::default()))
}

async fn call(channel: Channel, token: &str) -> Result<(), Status> {
    let mut request = Request::new(GetFreshnessRequest {});
    let header = format!("Bearer {token}").parse().map_err(|_| Status::internal("no header"))?;
    request.metadata_mut().insert("authorization", header);
    CompanyActivityServiceClient::new(channel).get_freshness(request).await.map(drop)
}

/// The certificate that a server shows to a new connection.
async fn shown(server: &Endpoint, tls: &ClientTls) -> Result<Vec<u8>> {
    let stream = tls.connector(&ConnectOptions::default()).call(server.uri().clone()).await?;
    let chain = stream.inner().get_ref().1.peer_certificates().context("no certificate")?;
    Ok(chain.first().context("no certificate")?.to_vec())
}

/// Callers that never pause: two over a connection that stays, two over new ones. Each call has
/// a client certificate and a token.
struct Load {
    calls: [Arc<AtomicUsize>; 4],
    failed: Arc<Mutex<Vec<Status>>>,
    token: Arc<Mutex<String>>,
    _stop: DropGuard,
}

impl Load {
    fn begin(server: &Endpoint, tls: &ClientTls, token: String) -> Self {
        let stop = CancellationToken::new();
        let load = Self {
            calls: Default::default(),
            failed: Arc::default(),
            token: Arc::new(Mutex::new(token)),
            _stop: stop.clone().drop_guard(),
        };
        for (number, calls) in load.calls.iter().enumerate() {
            let (server, tls, kept) = (server.clone(), tls.clone(), channel(server, tls));
            let (calls, failed, token) = (calls.clone(), load.failed.clone(), load.token.clone());
            let calling = async move {
                loop {
                    let channel = if number < 2 { kept.clone() } else { channel(&server, &tls) };
                    let token = token.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    match call(channel, &token).await {
                        Ok(()) => _ = calls.fetch_add(1, Ordering::Relaxed),
                        Err(status) => failed.lock().unwrap_or_else(PoisonError::into_inner).push(status),
                    }
                }
            };
            tokio::spawn(stop.clone().run_until_cancelled_owned(calling));
        }
        load
    }

    /// From now on calls have this token.
    fn send(&self, token: String) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// Waits until every caller has called several times more. None of all calls may have failed.
    async fn goes_on(&self) -> Result<()> {
        let before = self.counts();
        found("more calls", async || {
            let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            ensure!(failed.is_empty(), "{} calls failed, the first: {:?}", failed.len(), failed.first());
            let more = self.counts().into_iter().zip(before).all(|(now, before)| now >= before + MORE_CALLS);
            Ok(more.then_some(()))
        })
        .await
    }

    fn counts(&self) -> [usize; 4] {
        self.calls.each_ref().map(|calls| calls.load(Ordering::Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_and_cas_of_both_sides_are_replaced_without_a_failed_call() -> Result<()> {
    let signer = Signer::new("one")?;
    let (issuer, folder) = (Issuer::start(&[&signer]).await?, tempfile::tempdir()?);
    let (old_servers, new_servers) = (Authority::new("old servers")?, Authority::new("new servers")?);
    let (old_clients, new_clients) = (Authority::new("old clients")?, Authority::new("new clients")?);
    let both_servers = old_servers.pem() + &new_servers.pem();
    let both_clients = old_clients.pem() + &new_clients.pem();
    let (old_server, new_server) = (old_servers.for_loopback()?, new_servers.for_loopback()?);
    let old_client = old_clients.for_id("spiffe://company/dashboard")?;
    let new_client = new_clients.for_id("spiffe://company/dashboard")?;

    let mut server = Volume::new(&old_server, &old_clients.pem())?;
    let mut client = Volume::new(&old_client, &old_servers.pem())?;
    let process = activity(&folder, &issuer.policy(), Some(&server)).await?;
    let endpoint = Endpoint::from_shared(format!("https://{}", process.address()))?;
    let tls = client.client()?;
    let token = signer.sign(&issuer.claims("alice"))?;
    let load = Load::begin(&endpoint, &tls, token.clone());
    load.goes_on().await?;
    assert_eq!(shown(&endpoint, &tls).await?, old_server.der);

    // Both sides first trust the new CAs as well, then show new certificates, then trust the
    // new CAs alone. Whether the service follows its files is seen from outside.
    let outdated = Volume::new(&old_client, &both_servers)?.client()?;
    let renewed = Volume::new(&new_client, &both_servers)?.client()?;
    client.publish(&old_client, &both_servers)?;
    assert_eq!(tls.reload(), Reload::Replaced);
    server.publish(&old_server, &both_clients)?;
    found("trust in the clients' new CA", async || Ok(call(channel(&endpoint, &renewed), &token).await.ok()))
        .await?;
    load.goes_on().await?;

    server.publish(&new_server, &both_clients)?;
    found("the server's new certificate", async || {
        Ok((shown(&endpoint, &tls).await? == new_server.der).then_some(()))
    })
    .await?;
    load.goes_on().await?;

    client.publish(&new_client, &new_servers.pem())?;
    assert_eq!(tls.reload(), Reload::Replaced);
    load.goes_on().await?;
    server.publish(&new_server, &new_clients.pem())?;
    let refused = found("the end of trust in the clients' old CA", async || {
        Ok(call(channel(&endpoint, &outdated), &token).await.err())
    })
    .await?;
    assert!(refused.message().contains("refused the client certificate"), "{refused:?}");
    load.goes_on().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_tokens_are_replaced_without_a_failed_call() -> Result<()> {
    let (old, new) = (Signer::new("old")?, Signer::new("new")?);
    let (issuer, folder) = (Issuer::start(&[&old]).await?, tempfile::tempdir()?);
    let (servers, clients) = (Authority::new("servers")?, Authority::new("clients")?);
    let server = Volume::new(&servers.for_loopback()?, &clients.pem())?;
    let client = Volume::new(&clients.for_id("spiffe://company/dashboard")?, &servers.pem())?;
    let process = activity(&folder, &issuer.policy(), Some(&server)).await?;
    let endpoint = Endpoint::from_shared(format!("https://{}", process.address()))?;
    let tls = client.client()?;
    let before = old.sign(&issuer.claims("alice"))?;
    let load = Load::begin(&endpoint, &tls, before.clone());
    load.goes_on().await?;
    let may_be_asked_again = async || {
        let last = *issuer.asked().last().context("nobody asked")?;
        Ok((last.elapsed() > BETWEEN_REQUESTS).then_some(()))
    };

    issuer.publish(&[&old, &new]);
    found("time for the new key", may_be_asked_again).await?;
    assert_eq!(issuer.asked().len(), 1, "the old key needs no second request");
    load.send(new.sign(&issuer.claims("alice"))?);
    load.goes_on().await?;
    assert_eq!(issuer.asked().len(), 2, "the new key is asked for once, by all callers together");
    call(channel(&endpoint, &tls), &before).await.context("a token of the old key, which is still listed")?;

    issuer.publish(&[&new]);
    load.goes_on().await?;
    found("time to ask again", may_be_asked_again).await?;
    // What makes the service look at the keys again; they are looked at every ten minutes anyway.
    let unknown = Signer::new("unknown")?.sign(&issuer.claims("mallory"))?;
    call(channel(&endpoint, &tls), &unknown).await.expect_err("nobody has this key");
    let refused = call(channel(&endpoint, &tls), &before).await.expect_err("the old key is gone");
    assert_eq!(refused.message(), "the token is signed with a key that people does not have");
    load.goes_on().await?;
    assert_eq!(issuer.asked().len(), 3);
    Ok(())
}
