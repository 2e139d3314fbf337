//! Where a side of a connection is: in a body, in a chunk of one (RFC 9112 §7.1), before a head, or nobody knows.

use crate::protocol::cursor::Cursor;
use crate::protocol::http::wire;

#[derive(Default)]
pub(super) struct Side {
    /// What is left of the body or of its chunk.
    pub(super) body_bytes: u64,
    pub(super) chunks: Chunks,
    /// The end of a body cannot be found, or bytes were lost.
    pub(super) is_over: bool,
    pub(super) has_spoken: bool,
    /// What comes is not the first of it.
    pub(super) has_begun: bool,
    pub(super) place: Place,
}

/// Whether it is known where the next head of a client begins.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(super) enum Place {
    #[default]
    Known,
    /// What it says cannot be read: not in this turn.
    Lost,
    /// What comes next may begin with one: a turn of its, or what follows a hole or a head that tells no end of its body.
    Perhaps,
}

/// Where in a body in chunks a side is, behind `body_bytes`.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(super) enum Chunks {
    #[default]
    No,
    Size,
    Trailer,
}

impl Side {
    /// The side at such a place, and in no body.
    pub(super) fn at(place: Place, has_spoken: bool) -> Self {
        Self { place, has_spoken, has_begun: true, ..Self::default() }
    }

    /// Passes over what is there of the body. Where a chunk ends is not known any more if its size is not one.
    pub(super) fn skip_body(&mut self, cursor: &mut Cursor<'_>) {
        loop {
            let body_bytes = usize::try_from(self.body_bytes).unwrap_or(usize::MAX).min(cursor.len());
            cursor.skip(body_bytes);
            self.body_bytes = self.body_bytes.saturating_sub(u64::try_from(body_bytes).unwrap_or(0));
            if cursor.is_empty() {
                return;
            }
            match self.chunks {
                Chunks::No => return,
                Chunks::Size => match wire::chunk_bytes(cursor) {
                    Ok(Some(0)) => self.chunks = Chunks::Trailer,
                    // A line's end stands behind a chunk.
                    Ok(Some(size)) => self.body_bytes = size.saturating_add(2),
                    Ok(None) => return,
                    Err(_) => return *self = Self::at(Place::Lost, self.has_spoken),
                },
                Chunks::Trailer => match wire::line(cursor) {
                    Some([]) => self.chunks = Chunks::No,
                    Some(_) => {}
                    None => return,
                },
            }
        }
    }

    pub(super) const fn is_amid_chunks(&self) -> bool {
        !matches!(self.chunks, Chunks::No)
    }
}
