//! Connections: how many, and how long they may be idle.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use proto::activity::v1::{
    ExportCompanyActivityRequest, GetFreshnessRequest,
    company_activity_service_client::CompanyActivityServiceClient,
};
use runtime::Limits;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;

use crate::support::{GREETING, Server, has_frame, rest_of, until};

const GOAWAY: u8 = 7;
const LONG: Duration = Duration::from_secs(3_600);

/// A few connections, and enough of everything else.
fn few(connections: usize) -> Limits {
    Limits { connections, idle: LONG, silence: LONG, ..Limits::default() }
}

#[tokio::test]
async fn idle_connections_make_room_and_those_at_work_do_not() {
    let server = Server::within(few(4)).await;
    let mut working = server.client();
    let mut export =
        working.export_company_activity(ExportCompanyActivityRequest::default()).await.unwrap().into_inner();
    export.message().await.unwrap().unwrap();
    let (silent, greeted) = (server.socket(b"").await, server.socket(GREETING).await);
    // Callers wait until a connection has been idle for a second, and take its place.
    let mut callers = Vec::new();
    for _ in 0..3 {
        let mut caller = server.client();
        caller.get_freshness(GetFreshnessRequest {}).await.unwrap();
        callers.push(caller);
    }
    rest_of(silent).await;
    rest_of(greeted).await;
    // Now a caller that has been answered makes room, and comes back when it has another call.
    assert!(server.is_healthy().await);
    callers[0].get_freshness(GetFreshnessRequest {}).await.unwrap();
    export.message().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_is_refused_when_all_others_work() {
    let server = Server::within(few(2)).await;
    let mut exports = Vec::new();
    for _ in 0..2 {
        let mut client = server.client();
        let answer = client.export_company_activity(ExportCompanyActivityRequest::default()).await.unwrap();
        exports.push((client, answer.into_inner()));
    }
    assert!(rest_of(server.socket(GREETING).await).await.is_empty());
    for (_, export) in &mut exports {
        export.message().await.unwrap().unwrap();
    }
    exports.pop();
    until(|| server.handlers.exports.load(Ordering::SeqCst) == 1).await;
    assert!(server.is_healthy().await, "there is room again");
}

#[tokio::test]
async fn a_connection_that_does_not_speak_http2_is_closed_soon() {
    let server = Server::within(Limits { silence: Duration::from_millis(50), ..few(10) }).await;
    let (silent, slow) = (server.socket(b"").await, server.socket(&GREETING[..23]).await);
    let mut greeted = server.socket(GREETING).await;
    rest_of(silent).await;
    rest_of(slow).await;
    // This one may stay.
    let mut settings = [0; 9];
    greeted.read_exact(&mut settings).await.unwrap();
    assert!(has_frame(&settings, 4));
    assert!(server.client().get_freshness(GetFreshnessRequest {}).await.is_ok());
}

/// Forwards connections to a server and counts them.
async fn counting(server: SocketAddr, connections: &Arc<AtomicUsize>) -> (SocketAddr, AbortOnDropHandle<()>) {
    let (listener, connections) =
        (TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap(), connections.clone());
    let address = listener.local_addr().unwrap();
    let forwarding = async move {
        let mut forwarded = JoinSet::new();
        while let Ok((mut ours, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            forwarded.spawn(async move {
                let mut theirs = TcpStream::connect(server).await?;
                ours.set_nodelay(true)?;
                theirs.set_nodelay(true)?;
                tokio::io::copy_bidirectional(&mut ours, &mut theirs).await
            });
        }
    };
    (address, AbortOnDropHandle::new(tokio::spawn(forwarding)))
}

#[tokio::test]
async fn an_idle_connection_ends_without_a_failed_call() {
    let idle = Duration::from_millis(10);
    let server = Server::within(Limits { idle, ..few(10) }).await;
    let connections = Arc::default();
    let (address, _forwarding) = counting(server.address, &connections).await;
    let channel = runtime::channel::connect(&format!("http://{address}")).unwrap();
    let mut client = CompanyActivityServiceClient::new(channel);
    // Around the moment when the connection ends, so that calls and ends meet.
    let mut milliseconds = interval(Duration::from_millis(1));
    milliseconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..200 {
        for _ in 0..5 + number % 20 {
            milliseconds.tick().await;
        }
        client.get_freshness(GetFreshnessRequest {}).await.unwrap();
    }
    assert!(connections.load(Ordering::SeqCst) > 1, "no connection ended, so nothing was tested");
}

#[tokio::test]
async fn a_client_is_told_that_its_idle_connection_ends() {
    let server = Server::within(Limits { idle: Duration::from_millis(10), ..few(10) }).await;
    assert!(has_frame(&rest_of(server.socket(GREETING).await).await, GOAWAY));
}

#[tokio::test]
async fn a_connection_with_an_open_call_is_not_idle() {
    let idle = Duration::from_millis(10);
    let server = Server::within(Limits { idle, ..few(10) }).await;
    let connections = Arc::default();
    let (address, _forwarding) = counting(server.address, &connections).await;
    let channel = runtime::channel::connect(&format!("http://{address}")).unwrap();
    let mut client = CompanyActivityServiceClient::new(channel);
    let answer = client.export_company_activity(ExportCompanyActivityRequest::default()).await.unwrap();
    let mut export = answer.into_inner();
    let mut messages = interval(idle);
    for _ in 0..100 {
        messages.tick().await;
        export.message().await.unwrap().unwrap();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
