//! The one way to read bytes from the wire: a cursor that is total. It never panics, never reads past the end, and a
//! read that fails leaves it where it was.

/// A position in borrowed bytes. Every read returns `None` where not enough is left.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    pub fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(|_| ())
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u24(&mut self) -> Option<u32> {
        let [a, b, c] = self.array()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn u16_le(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64_le(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A cursor over the next `len` bytes, which this one then stands behind.
    pub fn sub(&mut self, len: usize) -> Option<Cursor<'a>> {
        self.take(len).map(Cursor::new)
    }

    /// A cursor over a vector with an 8-bit length before it.
    pub fn vec8(&mut self) -> Option<Cursor<'a>> {
        let mut ahead = *self;
        let len = ahead.u8()?;
        let body = ahead.sub(usize::from(len))?;
        *self = ahead;
        Some(body)
    }

    /// A cursor over a vector with a 16-bit length before it.
    pub fn vec16(&mut self) -> Option<Cursor<'a>> {
        let mut ahead = *self;
        let len = ahead.u16()?;
        let body = ahead.sub(usize::from(len))?;
        *self = ahead;
        Some(body)
    }

    /// A cursor over a vector with a 24-bit length before it.
    pub fn vec24(&mut self) -> Option<Cursor<'a>> {
        let mut ahead = *self;
        let len = ahead.u24()?;
        let body = ahead.sub(usize::try_from(len).ok()?)?;
        *self = ahead;
        Some(body)
    }

    /// The bytes up to `end`, which is read and not returned.
    pub fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let at = memchr::memchr(end, self.rest)?;
        let taken = self.take(at)?;
        self.skip(1)?;
        Some(taken)
    }

    /// Skips bytes that are 0, sixteen of them at a time as long as there are.
    pub fn skip_zeros(&mut self) {
        while let Some((&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], rest)) = self.rest.split_first_chunk() {
            self.rest = rest;
        }
        while let [0, rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_read_moves_nothing() {
        let mut cursor = Cursor::new(&[0x00, 0x05, 0xaa]);
        assert!(cursor.vec16().is_none());
        assert!(cursor.u32().is_none());
        assert!(cursor.take(4).is_none());
        assert!(cursor.until(0xbb).is_none());
        assert_eq!(cursor.len(), 3);
        assert_eq!(cursor.u24(), Some(0x0005aa));
        assert!(cursor.is_empty());
    }

    #[test]
    fn zeros_are_skipped_up_to_the_first_byte_that_is_none() {
        for zeros in 0..40 {
            let nothing_else = vec![0; zeros];
            let bytes = [nothing_else.as_slice(), &[7, 0, 0]].concat();
            let mut cursor = Cursor::new(&bytes);
            cursor.skip_zeros();
            assert_eq!(cursor.rest(), [7, 0, 0], "{zeros}");
            let mut cursor = Cursor::new(&nothing_else);
            cursor.skip_zeros();
            assert!(cursor.is_empty(), "{zeros}");
        }
    }

    #[test]
    fn vectors_hold_what_their_length_says() {
        let mut cursor = Cursor::new(&[2, 1, 2, 0, 1, 9, 0, 0, 0, 7]);
        assert_eq!(cursor.vec8().map(|c| c.rest().to_vec()), Some(vec![1, 2]));
        assert_eq!(cursor.vec16().map(|c| c.rest().to_vec()), Some(vec![9]));
        assert_eq!(cursor.vec24().map(|c| c.len()), Some(0));
        assert_eq!(cursor.u8(), Some(7));
        assert_eq!(cursor.u8(), None);
    }
}
