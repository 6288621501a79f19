//! The stylesheet, the script and the icon. They are embedded in the binary and served under names that change with
//! their content, so that browsers can cache them forever and never use an old one.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headers::{ETag, HeaderMapExt as _};

use crate::conditions::{etag, is_known};

/// A file that pages load.
pub(super) struct Asset {
    /// Its URL path.
    pub(super) href: String,
    etag: ETag,
    media_type: &'static str,
    text: &'static str,
}

/// All of them.
pub(super) struct Assets {
    pub(super) style: Asset,
    pub(super) script: Asset,
    pub(super) icon: Asset,
}

pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new("console", "css", "text/css; charset=utf-8", include_str!("assets/console.css")),
    script: Asset::new("console", "js", "text/javascript; charset=utf-8", include_str!("assets/console.js")),
    icon: Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")),
});

impl Asset {
    fn new(name: &str, ending: &str, media_type: &'static str, text: &'static str) -> Asset {
        let digest = blake3::hash(text.as_bytes()).to_hex();
        let hash = &digest[..12];
        Asset { href: format!("/assets/{name}.{hash}.{ending}"), etag: etag(hash), media_type, text }
    }
}

/// Serves an asset.
pub(super) async fn get(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Assets { style, script, icon } = &*ASSETS;
    let wanted = |asset: &&Asset| asset.href.strip_prefix("/assets/") == Some(&name);
    let Some(asset) = [style, script, icon].into_iter().find(wanted) else {
        return (StatusCode::NOT_FOUND, "asset not found; reload the page\n").into_response();
    };
    let about = [
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::CONTENT_TYPE, asset.media_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = match is_known(&headers, Some(&asset.etag)) {
        true => (StatusCode::NOT_MODIFIED, about).into_response(),
        false => (about, asset.text).into_response(),
    };
    response.headers_mut().typed_insert(asset.etag.clone());
    response
}
