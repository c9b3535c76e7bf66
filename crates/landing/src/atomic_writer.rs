//! Files that appear as a whole or not at all.

use std::fmt;

use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStoreExt, PutResult};

use crate::{
    Error, FileInfo, Storage,
    storage::{parse_path, unquoted},
};

/// How much is held in memory before it is sent; Azure and S3 want no smaller parts.
const PART_BYTES: usize = 5 * 1024 * 1024;

/// Writes one file. Nobody sees any of it before [`finish`](Self::finish);
/// dropping the writer leaves everything as it was.
///
/// Holds about one part of 5 MiB in memory, however long the file.
pub struct AtomicWriter {
    storage: Storage,
    path: String,
    buffer: BytesMut,
    /// Begun when the first part is full: small files take a single request.
    upload: Option<Box<dyn MultipartUpload>>,
}

impl AtomicWriter {
    pub(crate) fn new(storage: Storage, path: String) -> Self {
        Self { storage, path, buffer: BytesMut::new(), upload: None }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// If the store does not take them; the writer is then of no more use.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
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

    /// Makes the file visible, replacing the one that was there.
    ///
    /// # Errors
    /// If the store does not take it, or somebody else replaced it at the same
    /// moment ([`Error::Changed`]).
    pub async fn finish(mut self) -> Result<FileInfo, Error> {
        if self.upload.is_some() && !self.buffer.is_empty() {
            self.send_part().await?;
        }
        let put = self.publish().await?;
        match self.storage.info(&self.path).await? {
            Some(file) if file.etag == unquoted(put.e_tag.as_deref()) => Ok(file),
            _ => Err(self.storage.changed(&self.path)),
        }
    }

    async fn publish(&mut self) -> Result<PutResult, Error> {
        let put = match &mut self.upload {
            Some(upload) => upload.complete().await,
            None => {
                let path = parse_path(&self.path)?;
                self.storage.store().put(&path, self.buffer.split().freeze().into()).await
            }
        };
        put.map_err(|error| self.storage.error(&self.path, error))
    }

    async fn send_part(&mut self) -> Result<(), Error> {
        let part: Bytes = self.buffer.split().freeze();
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let path = parse_path(&self.path)?;
                let upload = self.storage.store().put_multipart(&path).await;
                none.insert(upload.map_err(|error| self.storage.error(&self.path, error))?)
            }
        };
        upload.put_part(part.into()).await.map_err(|error| self.storage.error(&self.path, error))
    }
}

impl fmt::Debug for AtomicWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicWriter")
            .field("storage", &self.storage)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
