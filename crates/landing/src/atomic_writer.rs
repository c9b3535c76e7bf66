//! Files that appear whole or not at all.

use std::fmt;

use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStoreExt, PutMode, PutResult};
use tracing::Instrument;

use crate::{
    error::Error,
    file_info::{FileInfo, parse_path, unquoted},
    operation::Operation,
    root::Root,
};

/// How much is buffered before it is sent; Azure and S3 want no smaller parts.
const PART_BYTES: usize = 5 * 1024 * 1024;

/// Writes one file. Nothing of it is visible before [`finish`](Self::finish); dropping
/// the writer leaves everything as it was.
///
/// Buffers about one part of 5 MiB, however long the file.
pub struct AtomicWriter {
    root: Root,
    path: String,
    buffer: BytesMut,
    /// Started when the first part is full: a small file takes a single request.
    upload: Option<Box<dyn MultipartUpload>>,
    /// Set from the first byte until the file is finished.
    operation: Option<Operation>,
}

impl AtomicWriter {
    pub(crate) fn new(root: Root, path: String) -> Self {
        Self { root, path, buffer: BytesMut::new(), upload: None, operation: None }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// If the store does not accept them; the writer is then unusable.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let operation = self.begun();
        operation.add_bytes(bytes.len());
        let span = operation.span();
        let written = self.append(bytes).instrument(span).await;
        if let Err(error) = &written
            && let Some(operation) = self.operation.take()
        {
            operation.fail(error);
        }
        written
    }

    fn begun(&mut self) -> &mut Operation {
        let Self { root, path, operation, .. } = self;
        operation.get_or_insert_with(|| Operation::begin("put", root.url(), Some(path)))
    }

    fn end(&mut self, outcome: Result<FileInfo, Error>) -> Result<FileInfo, Error> {
        if let Some(operation) = self.operation.take() {
            match &outcome {
                Ok(file) => operation.report_size(file.size),
                Err(error) => operation.fail(error),
            }
        }
        outcome
    }

    async fn append(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == PART_BYTES {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    /// Makes the file visible, replacing an existing one.
    ///
    /// # Errors
    /// If the store does not accept it, or someone else replaced it at the same moment
    /// ([`Error::Changed`]).
    pub async fn finish(mut self) -> Result<FileInfo, Error> {
        let span = self.begun().span();
        let outcome = self.replace().instrument(span).await;
        self.end(outcome)
    }

    async fn replace(&mut self) -> Result<FileInfo, Error> {
        let put = self.publish(PutMode::Overwrite).await?;
        match self.root.look_up(&self.path).await? {
            Some(file) if is_what_was_put(&file, put.as_ref()) => Ok(file),
            _ => Err(self.root.changed(&self.path)),
        }
    }

    /// Makes the file visible unless one with that name exists, which then stays as it
    /// is. Returns the file that exists now.
    ///
    /// For files of one part the store itself decides. For longer ones it does not: of
    /// two finished at the same moment, the later one replaces the other.
    ///
    /// # Errors
    /// If the store does not accept it, or someone removed it at the same moment
    /// ([`Error::Changed`]).
    pub async fn finish_if_absent(mut self) -> Result<FileInfo, Error> {
        let span = self.begun().span();
        let outcome = self.create().instrument(span).await;
        self.end(outcome)
    }

    async fn create(&mut self) -> Result<FileInfo, Error> {
        if self.upload.is_some()
            && let Some(file) = self.root.look_up(&self.path).await?
        {
            return Ok(file);
        }
        self.publish(PutMode::Create).await?;
        self.root.look_up(&self.path).await?.ok_or_else(|| self.root.changed(&self.path))
    }

    /// `None` if the file exists and `mode` does not allow replacing it.
    async fn publish(&mut self, mode: PutMode) -> Result<Option<PutResult>, Error> {
        if self.upload.is_some() && !self.buffer.is_empty() {
            self.send_part().await?;
        }
        let put = if let Some(upload) = &mut self.upload {
            upload.complete().await
        } else {
            let path = parse_path(&self.path)?;
            self.root.store().put_opts(&path, self.buffer.split().freeze().into(), mode.into()).await
        };
        match put {
            Ok(put) => Ok(Some(put)),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(None),
            Err(error) => Err(self.root.error(&self.path, error)),
        }
    }

    async fn send_part(&mut self) -> Result<(), Error> {
        let part: Bytes = self.buffer.split().freeze();
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let path = parse_path(&self.path)?;
                let upload = self.root.store().put_multipart(&path).await;
                none.insert(upload.map_err(|error| self.root.error(&self.path, error))?)
            }
        };
        upload.put_part(part.into()).await.map_err(|error| self.root.error(&self.path, error))
    }
}

impl Drop for AtomicWriter {
    fn drop(&mut self) {
        if let Some(operation) = self.operation.take() {
            operation.abandon("dropped before the file was finished, so nobody sees any of it");
        }
    }
}

fn is_what_was_put(file: &FileInfo, put: Option<&PutResult>) -> bool {
    put.is_some_and(|put| file.etag == unquoted(put.e_tag.as_deref()))
}

impl fmt::Debug for AtomicWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicWriter")
            .field("root", &self.root)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
