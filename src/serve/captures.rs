//! The name of an evidence capture in, the file out, to whom may see packets.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path as FilePath;

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::access::Who;
use super::routes::{Shared, refused};
use crate::exhibit::ExhibitName;

/// The most bytes of a file that are sent; no capture is larger.
const BYTES_MAX: u64 = 1 << 20;

pub(super) async fn download(
    State(shared): State<Shared>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Response {
    if !who.may_see_packets {
        return refused(StatusCode::FORBIDDEN, "you may look, and not download captures");
    }
    // Only what is a name, and so no path, ever comes to the file system.
    let Some((folder, name)) = shared.captures.zip(ExhibitName::parse(&name)) else {
        return refused(StatusCode::NOT_FOUND, "there is no such capture");
    };
    let path = folder.join(name.as_str());
    match tokio::task::spawn_blocking(move || read(&path)).await {
        Ok(Ok(bytes)) => {
            tracing::info!(capture = %name, by = who.name, "downloaded");
            let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
            let disposition = disposition.unwrap_or(HeaderValue::from_static("attachment"));
            let kind = HeaderValue::from_static("application/vnd.tcpdump.pcap");
            ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)], bytes).into_response()
        }
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => refused(
            StatusCode::NOT_FOUND,
            "the capture is not there: it was not written yet, or gave way to later ones",
        ),
        _ => refused(StatusCode::INTERNAL_SERVER_ERROR, "the capture cannot be read"),
    }
}

fn read(path: &FilePath) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
