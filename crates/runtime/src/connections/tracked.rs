//! A connection that knows its place and can be cut off.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;

use super::{Busy, Place};

/// The first bytes of HTTP/2: `PRI * HTTP/2.0`, two line ends, `SM`, two line ends.
const PREFACE_BYTES: usize = 24;

/// A connection that has a place.
pub(crate) struct Tracked<IO> {
    io: IO,
    place: Place,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// How many bytes of the preface are missing.
    missing: usize,
}

impl<IO> Tracked<IO> {
    pub(super) fn new(io: IO, place: Place) -> Self {
        let cut = Box::pin(place.state.cut.clone().cancelled_owned());
        let missing = match place.connections.0.limits.busy {
            Busy::Calls => PREFACE_BYTES,
            Busy::Bytes => 1,
        };
        Self { io, place, cut, missing }
    }

    fn poll_cut(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => {
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, "a limit has ended the connection"))
            }
            Poll::Pending => Ok(()),
        }
    }

    fn heard(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        if self.missing > 0 {
            self.missing = self.missing.saturating_sub(bytes);
            if self.missing == 0 {
                self.place.state.spoke.cancel();
            }
        }
        if self.place.connections.0.limits.busy == Busy::Bytes {
            self.place.state.touch();
        }
    }
}

impl<IO: Connected> Connected for Tracked<IO> {
    type ConnectInfo = IO::ConnectInfo;

    fn connect_info(&self) -> IO::ConnectInfo {
        self.io.connect_info()
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Tracked<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_cut(context)?;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        self.heard(buffer.filled().len() - before);
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Tracked<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_cut(context)?;
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_cut(context)?;
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_cut(context)?;
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_cut(context)?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
