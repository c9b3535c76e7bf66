//! What somebody can do to a server on purpose, or by a mistake in a loop.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use futures::future::join_all;
use proto::activity::v1::{
    ExportCompanyActivityRequest, ExportCompanyActivityResponse, GetCompanyActivityRequest,
    ListCompanyActivityRequest, company_activity_service_client::CompanyActivityServiceClient,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{
    Code, Request, Status, Streaming,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

/// What a client of HTTP/2 says first: the preface and empty settings.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// The first bytes of a TLS ClientHello.
const HELLO: &[u8] = &[22, 3, 1, 1];

/// Types and flags of frames.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const NO_FLAGS: u8 = 0;
const END_HEADERS: u8 = 4;

/// How much of a flood of headers is sent to a server that keeps listening.
const MOST_HEADER_BYTES: usize = 4 * 1024 * 1024;

/// Streams that are reset, at most.
const MOST_RESETS: u32 = 20_000;

/// The flow-control window of an abuser's streams: a fraction of one message.
const WINDOW: u32 = 1_024;

/// `:method: POST`, `:scheme: http`, `:path: /` of HPACK's static table, `:authority: a`.
const REQUEST: &[u8] = &[0x83, 0x86, 0x84, 0x41, 1, b'a'];

/// Lets this process have this many sockets. Returns how many it may have.
///
/// # Errors
/// If the machine refuses.
pub fn allow_sockets(wanted: u64) -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if limit.current.is_some_and(|current| current < most) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum })?;
    }
    Ok(most)
}

/// Somebody with a good token, or without, who abuses a server.
#[derive(Debug, Clone)]
pub struct Abuser {
    /// The server.
    pub server: SocketAddr,
    /// A good token.
    pub token: String,
}

impl Abuser {
    fn client(&self) -> Result<CompanyActivityServiceClient<Channel>> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.server))?;
        Ok(CompanyActivityServiceClient::new(endpoint.initial_stream_window_size(WINDOW).connect_lazy()))
    }

    fn signed<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        let authorization = MetadataValue::try_from(format!("Bearer {}", self.token))?;
        request.metadata_mut().insert("authorization", authorization);
        Ok(request)
    }

    /// Sends a message of this many bytes. Returns what the server says.
    ///
    /// # Errors
    /// If the server takes it.
    pub async fn huge_message(&self, bytes: usize) -> Result<Status> {
        let request = GetCompanyActivityRequest { company_id: "a".repeat(bytes), ..Default::default() };
        let mut client = self.client()?.max_encoding_message_size(usize::MAX);
        client.get_company_activity(self.signed(request)?).await.err().context("it was taken")
    }

    /// Opens connections that say nothing, greet, or stop in the middle of that.
    pub async fn idle_connections(&self, number: usize) -> Vec<TcpStream> {
        let mut open = Vec::new();
        for at in 0..number {
            let says = match at % 3 {
                0 => &b""[..],
                1 => &GREETING[..12],
                _ => GREETING,
            };
            // One that is refused or closed is no less of a nuisance.
            let Ok(mut socket) = TcpStream::connect(self.server).await else { continue };
            let _ = socket.write_all(says).await;
            open.push(socket);
        }
        open
    }

    /// Begins TLS handshakes and leaves them unfinished.
    pub async fn unfinished_handshakes(&self, number: usize) -> Vec<TcpStream> {
        let mut open = Vec::new();
        for at in 0..number {
            let Ok(mut socket) = TcpStream::connect(self.server).await else { continue };
            let says = if at % 2 == 0 { HELLO } else { b"" };
            let _ = socket.write_all(says).await;
            open.push(socket);
        }
        open
    }

    /// Opens exports and reads none, a hundred on each connection. Returns those that were
    /// begun, and how many were refused.
    ///
    /// # Errors
    /// If one is refused for another reason than a limit.
    pub async fn unread_exports(
        &self,
        number: usize,
    ) -> Result<(Vec<Streaming<ExportCompanyActivityResponse>>, usize)> {
        let (mut open, mut refused) = (Vec::new(), 0);
        let mut client = self.client()?;
        for at in 0..number {
            if at % 100 == 0 {
                client = self.client()?;
            }
            match client.export_company_activity(self.signed(ExportCompanyActivityRequest::default())?).await
            {
                Ok(answer) => open.push(answer.into_inner()),
                Err(status) => {
                    ensure!(status.code() == Code::ResourceExhausted, "{status:?}");
                    refused += 1;
                }
            }
        }
        Ok((open, refused))
    }

    /// Lists everything with a deadline of a millisecond, again and again, thirty-two at a
    /// time.
    ///
    /// # Errors
    /// If no connection can be made.
    pub async fn hasty_calls(&self, number: usize) -> Result<()> {
        let client = self.client()?;
        let haste = |mut client: CompanyActivityServiceClient<Channel>| async move {
            for _ in 0..number / 32 {
                let mut request = self.signed(ListCompanyActivityRequest::default())?;
                request.set_timeout(Duration::from_millis(1));
                // Whatever the answer is, nobody waits for it.
                let _ = client.list_company_activity(request).await;
            }
            anyhow::Ok(())
        };
        join_all((0..32).map(|_| haste(client.clone()))).await.into_iter().collect()
    }

    /// Sends headers without end. Returns how many bytes the server has taken.
    ///
    /// # Errors
    /// If it goes on listening.
    pub async fn endless_headers(&self) -> Result<usize> {
        let mut socket = self.greeted().await?;
        let (mut sent, piece) = (0, vec![0; 16 * 1024]);
        let mut kind = HEADERS;
        // A literal header with an empty name and value, as often as it fits.
        while sent < MOST_HEADER_BYTES {
            if socket.write_all(&frame(kind, NO_FLAGS, 1, &piece)).await.is_err() {
                return Ok(sent);
            }
            sent += piece.len();
            kind = CONTINUATION;
        }
        anyhow::bail!("the server has taken {sent} bytes of headers")
    }

    /// Opens streams and resets each at once (rapid reset). Returns how many the server has
    /// taken.
    ///
    /// # Errors
    /// If it goes on listening.
    pub async fn rapid_resets(&self) -> Result<u32> {
        let mut socket = self.greeted().await?;
        for number in 0..MOST_RESETS {
            let stream = number * 2 + 1;
            let mut frames = frame(HEADERS, END_HEADERS, stream, REQUEST);
            frames.extend(frame(RST_STREAM, NO_FLAGS, stream, &8_u32.to_be_bytes()));
            if socket.write_all(&frames).await.is_err() {
                return Ok(number);
            }
        }
        anyhow::bail!("the server has taken {MOST_RESETS} resets")
    }

    /// A connection that has greeted, and whose answers are read by nobody who cares.
    async fn greeted(&self) -> Result<impl AsyncWriteExt + Unpin + use<>> {
        let socket = TcpStream::connect(self.server).await?;
        let (mut answers, mut writer) = socket.into_split();
        writer.write_all(GREETING).await?;
        tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            while answers.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        });
        Ok(writer)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}
