//! Text in HPACK's Huffman code in, its bytes out (RFC 7541 §5.2).

use std::sync::LazyLock;

/// The length of each byte's code in bits, and of the code that ends nothing and must not stand in a text. The code is
/// canonical, so the lengths tell all of it (appendix B).
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

const BITS_MAX: u32 = 30;

/// The codes of one length: they follow each other.
struct Row {
    first: u32,
    symbols: Vec<u16>,
}

/// The rows by length, from 1 bit on.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let mut next = 0_u32;
    let row = |length: u32| {
        let first = next;
        let of_length = |&(_, &bits): &(u16, &u8)| u32::from(bits) == length;
        let symbols: Vec<u16> = (0..).zip(&LENGTHS).filter(of_length).map(|(symbol, _)| symbol).collect();
        let count = u32::try_from(symbols.len()).unwrap_or(0);
        next = first.saturating_add(count).wrapping_shl(1);
        Row { first, symbols }
    };
    (1..=BITS_MAX).map(row).collect()
});

/// None where a code is none, or what is left over at the end is not the padding of ones.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    const PADDING_BITS_MAX: usize = 7;
    let rows = ROWS.as_slice();
    let mut text = Vec::with_capacity(bytes.len());
    let (mut code, mut length) = (0_u32, 0_usize);
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |place| u32::from(byte >> place & 1))) {
        let row = rows.get(length)?;
        code = code.wrapping_shl(1) | bit;
        length = length.saturating_add(1);
        let place = code.checked_sub(row.first).and_then(|place| usize::try_from(place).ok());
        if let Some(&symbol) = place.and_then(|place| row.symbols.get(place)) {
            text.push(u8::try_from(symbol).ok()?);
            (code, length) = (0, 0);
        }
    }
    let is_padding = length <= PADDING_BITS_MAX && code.count_ones() == u32::try_from(length).ok()?;
    is_padding.then_some(text)
}
