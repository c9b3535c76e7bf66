//! Clients that never finish their handshake.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tls::HandshakeLimits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Authority, Log, anonymous_client, serve_within, server_volume};

/// Both ends of a connection are files of this process.
fn allow_open_files(number: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < number) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(number), maximum: limit.maximum }).unwrap();
    }
}

/// Whether the server has closed the connection, after what it may have said.
async fn is_closed(mut socket: TcpStream) -> bool {
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.is_ok() && rest.is_empty()
}

#[tokio::test]
async fn a_thousand_idle_clients_keep_nobody_out_and_are_closed_in_time() {
    allow_open_files(3000);
    let authority = Authority::new("servers");
    let tls = server_volume(&authority, "").server(None);
    let limits = HandshakeLimits { timeout: Duration::from_secs(4), ..HandshakeLimits::default() };
    let server = serve_within(&tls, limits).await;
    let mut idle = Vec::new();
    for number in 0..1000 {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        if number % 2 == 0 {
            // The first bytes of a ClientHello.
            socket.write_all(&[22, 3, 1, 1]).await.unwrap();
        }
        idle.push(socket);
    }
    server.call(&anonymous_client(&authority)).await.unwrap();
    for socket in idle {
        assert!(is_closed(socket).await);
    }
}

#[tokio::test]
async fn the_oldest_unfinished_handshake_makes_room_when_all_places_are_taken() {
    let (log, _guard) = Log::capture();
    let authority = Authority::new("servers");
    let tls = server_volume(&authority, "").server(None);
    let limits = HandshakeLimits {
        timeout: Duration::from_secs(3600),
        unfinished: 4,
        grace: Duration::from_millis(20),
    };
    let server = serve_within(&tls, limits).await;
    let mut idle = Vec::new();
    for _ in 0..12 {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    server.call(&anonymous_client(&authority)).await.unwrap();
    // Of thirteen, four had a place in the end, and the good one came last.
    for socket in idle.drain(..9) {
        assert!(is_closed(socket).await);
    }
    assert!(log.text().contains("too many were unfinished"), "{}", log.text());
    // The others keep theirs: nobody needs it.
    for socket in &idle {
        assert_eq!(socket.try_read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}
