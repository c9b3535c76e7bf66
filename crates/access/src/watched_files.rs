//! Reads the files of a policy, and notices when they have changed.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::policy::PolicyError;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// What files held when they were read.
pub(crate) type Fingerprint = [u8; 32];

/// Reads files and digests all that it sees, failures too: two readers with one
/// fingerprint have seen the same.
#[derive(Default)]
pub(crate) struct FileReader {
    digest: Sha256,
}

impl FileReader {
    /// The text of a file.
    pub(crate) fn read(&mut self, path: &Path) -> Result<String, PolicyError> {
        let outcome = read_bounded(path);
        let seen = outcome.as_ref().map_or_else(ToString::to_string, Clone::clone);
        self.see(path, &seen);
        outcome.map_err(|error| PolicyError::new(path, format!("the file cannot be read: {error}")))
    }

    /// Whether a file can be read, whatever it holds.
    pub(crate) fn check(&mut self, path: &Path) -> Result<(), PolicyError> {
        let outcome = File::open(path);
        self.see(path, if outcome.is_ok() { "readable" } else { "not readable" });
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(PolicyError::new(path, format!("the file cannot be read: {error}"))),
        }
    }

    pub(crate) fn fingerprint(self) -> Fingerprint {
        self.digest.finalize().into()
    }

    fn see(&mut self, path: &Path, content: &str) {
        // Lengths keep one file's end apart from the next one's beginning.
        for part in [path.as_os_str().as_encoded_bytes(), content.as_bytes()] {
            self.digest.update(part.len().to_be_bytes());
            self.digest.update(part);
        }
    }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other(format!("it is larger than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

/// A path of the policy, which may be relative to the policy's folder.
pub(crate) fn beside(policy: &Path, path: &Path) -> PathBuf {
    policy.parent().map_or_else(|| path.to_owned(), |folder| folder.join(path))
}
