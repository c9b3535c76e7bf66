//! Resolves a storage URL to its store.

use std::{
    fs,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use object_store::{ObjectStore, local::LocalFileSystem, path::Path, prefix::PrefixStore};
use url::Url;

use crate::{azure, error::Error};

const EXPECTED: &str = "write file:///folder/ or az://container/folder/";

/// A store, rooted where its URL points.
pub(crate) struct Location {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Its name for people.
    pub(crate) root: String,
    /// Its folder, if it is on this machine.
    pub(crate) folder: Option<PathBuf>,
}

/// Opens the store that a URL names.
pub(crate) fn open(text: &str) -> Result<Location, Error> {
    let url = Url::parse(text).map_err(|error| Error::Url {
        // A text that is not a URL may hold anything, so none of it is shown.
        url: "(not shown)".to_owned(),
        problem: format!("{error}; {EXPECTED}"),
    })?;
    let root = shown(&url);
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        let problem = "credentials do not belong into the URL; give them as environment variables";
        return Err(Error::Url { url: root, problem: problem.to_owned() });
    }
    match url.scheme() {
        "file" => {
            let folder = folder(&url, &root)?;
            Ok(Location { store: Arc::new(local_store(&folder, &root)?), root, folder: Some(folder) })
        }
        "az" => {
            let (container, prefix) = container_and_prefix(&url, &root)?;
            let store = PrefixStore::new(azure::open(container, &root)?, prefix);
            Ok(Location { store: Arc::new(store), root, folder: None })
        }
        scheme @ ("s3" | "gs") => {
            let problem = format!("{scheme}:// is not supported by this build; {EXPECTED}");
            Err(Error::Url { url: root, problem })
        }
        scheme => {
            let problem = format!("the scheme {scheme}:// is unknown; {EXPECTED}");
            Err(Error::Url { url: root, problem })
        }
    }
}

/// The URL without its secrets: SAS tokens are part of the query, so the query goes.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for URLs that cannot have either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

fn folder(url: &Url, root: &str) -> Result<PathBuf, Error> {
    let unusable = |problem: String| Error::Url { url: root.to_owned(), problem };
    let folder = url.to_file_path().map_err(|()| {
        unusable("it names another machine; an absolute path has three slashes: file:///folder/".to_owned())
    })?;
    fs::create_dir_all(&folder)
        .map_err(|error| unusable(format!("cannot create the folder {}: {error}", folder.display())))?;
    Ok(folder)
}

fn local_store(folder: &FilePath, root: &str) -> Result<LocalFileSystem, Error> {
    LocalFileSystem::new_with_prefix(folder)
        // Staging is loaded from the landing, so the landing must survive a power cut. A
        // folder is removed with its last file.
        .map(|store| store.with_fsync(true).with_automatic_cleanup(true))
        .map_err(|error| Error::Url { url: root.to_owned(), problem: error.to_string() })
}

fn container_and_prefix<'url>(url: &'url Url, root: &str) -> Result<(&'url str, Path), Error> {
    let unusable = |problem: String| Error::Url { url: root.to_owned(), problem };
    let container = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| unusable(format!("the container is missing; {EXPECTED}")))?;
    let prefix = Path::from_url_path(url.path()).map_err(|error| unusable(error.to_string()))?;
    Ok((container, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str) -> String {
        open(url).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_url_that_names_no_store_is_refused_with_what_to_write_instead() {
        for (url, expected) in [
            ("/data/crm", "relative URL without a base"),
            ("ftp://host/x", "the scheme ftp:// is unknown"),
            ("s3://bucket/x", "s3:// is not supported by this build"),
            ("az:///folder", "the container is missing"),
            ("file://host/folder", "it names another machine"),
        ] {
            let problem = problem(url);
            assert!(problem.contains(expected), "{url}: {problem}");
        }
    }

    #[test]
    fn secrets_in_a_url_are_refused_and_never_shown() {
        for url in ["az://raw/crm?sig=hunter2", "az://user:hunter2@raw/crm", "hunter2"] {
            let problem = problem(url);
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn the_part_after_the_container_is_the_prefix() {
        let url = Url::parse("az://raw-data/crm/da%20ily/").unwrap();
        let (container, prefix) = container_and_prefix(&url, "az://raw-data/").unwrap();
        assert_eq!((container, prefix.as_ref()), ("raw-data", "crm/da ily"));
    }
}
