//! A path in, its uncompressed bytes out: standard input, plain files, gzip and Zstandard, told apart by their content.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::window::Window;
use crate::capture::CaptureError;

/// An open capture file.
pub struct Source {
    /// As messages call it.
    pub name: String,
    pub window: Window,
    pub compressed: bool,
}

impl Source {
    /// Opens a path, `-` being standard input.
    pub fn open(path: &Path, read_bytes: &Arc<AtomicU64>) -> Result<Self, CaptureError> {
        let input: Box<dyn Read + Send> = if is_stdin(path) { Box::new(io::stdin()) } else { Box::new(open(path)?) };
        Self::new(name(path), input, read_bytes)
    }

    /// Takes what has been opened. What is read of it, before decompression, is added to `read_bytes`.
    pub fn new(name: String, input: Box<dyn Read + Send>, read_bytes: &Arc<AtomicU64>) -> Result<Self, CaptureError> {
        let mut input = Counted { input, read_bytes: Arc::clone(read_bytes) };
        let magic = magic(&mut input).map_err(|error| unreadable(&name, error))?;
        let input = io::Cursor::new(magic.clone()).chain(input);
        let (reader, compressed): (Box<dyn Read + Send>, bool) = match Compression::of(&magic) {
            Compression::Gzip => (Box::new(flate2::read::MultiGzDecoder::new(input)), true),
            Compression::None => (Box::new(input), false),
            Compression::Zstd => (Box::new(zstd(input).map_err(|error| unreadable(&name, error))?), true),
        };
        Ok(Self { name, window: Window::new(reader), compressed })
    }
}

pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The size of a regular file; none for pipes and what else can be read only once.
pub fn file_bytes(path: &Path) -> Option<u64> {
    let metadata = path.metadata().ok().filter(|_| !is_stdin(path))?;
    metadata.is_file().then_some(metadata.len())
}

fn name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}

fn open(path: &Path) -> Result<File, CaptureError> {
    let file = name(path);
    let opened = File::open(path).and_then(|opened| Ok((opened.metadata()?.is_dir(), opened)));
    match opened {
        Ok((true, _)) => Err(CaptureError::Directory { file }),
        Ok((false, opened)) => Ok(opened),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::NotFound => CaptureError::NoFile { file },
            io::ErrorKind::PermissionDenied => CaptureError::NoPermission { file },
            _ => unreadable(&file, error),
        }),
    }
}

fn unreadable(file: &str, source: io::Error) -> CaptureError {
    CaptureError::Read { file: file.to_owned(), place: Default::default(), source }
}

/// The first four bytes, or as many as there are.
fn magic(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut magic = Vec::new();
    input.take(4).read_to_end(&mut magic)?;
    Ok(magic)
}

/// A frame may ask for a window of this size, 128 MiB, as the zstd program itself allows.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

fn zstd(input: impl Read) -> io::Result<impl Read> {
    let mut decoder = zstd::stream::read::Decoder::new(input)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Compression {
    Gzip,
    None,
    Zstd,
}

impl Compression {
    fn of(magic: &[u8]) -> Self {
        match magic {
            // RFC 1952 section 2.3.1
            [0x1f, 0x8b, ..] => Self::Gzip,
            // RFC 8878 sections 3.1.1 and 3.1.2: a frame, or a skippable frame before one
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Counts what is read.
struct Counted<R> {
    input: R,
    read_bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.read_bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
