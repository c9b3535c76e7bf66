//! The socket options of a real server and a real client.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, net::SocketAddr, os::fd::OwnedFd};

use proto::activity::v1::{
    GetFreshnessRequest, company_activity_service_client::CompanyActivityServiceClient,
};
use runtime::{Context, ServerOptions, Service, serve};
use rustix::{
    net::{SocketAddrAny, getpeername, getsockname, sockopt},
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};
use tokio::sync::oneshot;

/// The end of a connection that a socket is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Client,
    Server,
}

/// This process's sockets that are connected to, or accepted by, a listener.
fn connected_sockets(listener: SocketAddr) -> Vec<(End, OwnedFd)> {
    let this_process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let mut sockets = Vec::new();
    for descriptor in fs::read_dir("/proc/self/fd").unwrap() {
        let number = descriptor.unwrap().file_name().to_str().unwrap().parse().unwrap();
        // The folder's own descriptor is closed by the time its listing is read.
        let Ok(copy) = pidfd_getfd(&this_process, number, PidfdGetfdFlags::empty()) else { continue };
        let Ok(Some(peer)) = getpeername(&copy) else { continue };
        let is_listener = |name: SocketAddrAny| SocketAddr::try_from(name).is_ok_and(|name| name == listener);
        if is_listener(peer) {
            sockets.push((End::Client, copy));
        } else if getsockname(&copy).is_ok_and(is_listener) {
            sockets.push((End::Server, copy));
        }
    }
    sockets.sort_by(|(first, _), (second, _)| first.cmp(second));
    sockets
}

#[tokio::test]
async fn both_ends_of_a_connection_send_at_once_and_notice_a_lost_peer() {
    let context = Context::new();
    let (listening, address) = oneshot::channel();
    let serving =
        tokio::spawn(serve(Service::new("empty"), ServerOptions::default(), context.clone(), |address| {
            listening.send(address).unwrap();
        }));
    let address = address.await.unwrap();
    let channel = runtime::channel::connect(&format!("http://{address}")).unwrap();
    // Refused, since nothing is served, but over a connection.
    CompanyActivityServiceClient::new(channel.clone())
        .get_freshness(GetFreshnessRequest {})
        .await
        .unwrap_err();
    let sockets = connected_sockets(address);
    let ends: Vec<&End> = sockets.iter().map(|(end, _)| end).collect();
    assert_eq!(ends, [&End::Client, &End::Server]);
    for (end, socket) in &sockets {
        assert!(sockopt::tcp_nodelay(socket).unwrap(), "{end:?} waits for acknowledgements");
        assert!(sockopt::socket_keepalive(socket).unwrap(), "{end:?} never asks after its peer");
        assert_eq!(sockopt::tcp_keepidle(socket).unwrap().as_secs(), 60, "{end:?}");
    }
    context.shutdown.cancel();
    drop(channel);
    serving.await.unwrap().unwrap();
}
