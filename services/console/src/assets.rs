//! The style sheet and the script, compiled in. Their addresses hold a checksum, so that
//! browsers keep them until they change.

use std::sync::LazyLock;

use axum::{
    Router,
    http::{HeaderName, header},
    routing::get,
};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("../assets/console.css");
const SCRIPT: &str = include_str!("../assets/console.js");

/// Where the style sheet is.
pub(crate) static STYLE_PATH: LazyLock<String> = LazyLock::new(|| path("console", STYLE, "css"));

/// Where the script is.
pub(crate) static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| path("console", SCRIPT, "js"));

fn path(name: &str, content: &str, extension: &str) -> String {
    let digest = Sha256::digest(content.as_bytes());
    let checksum: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("/assets/{name}-{checksum}.{extension}")
}

/// Serves them to everybody: they say nothing about anybody.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(&STYLE_PATH, get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route(&SCRIPT_PATH, get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
}

fn asset(kind: &'static str, content: &'static str) -> ([(HeaderName, &'static str); 2], &'static str) {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")], content)
}
