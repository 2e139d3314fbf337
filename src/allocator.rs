//! The program's memory: mimalloc, since facts are made on one thread and dropped on another, which the system's allocator
//! is slow at.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{mi_malloc, mi_realloc, mi_zalloc};
use mimalloc::MiMalloc;

/// [`MiMalloc`], but for the way of most requests.
///
/// Its crate asks for the alignment in every request. Where no block of the size is at hand, as is usual with blocks that come
/// back from another thread, mimalloc 3 then takes a larger one of a size that is no power of two, so that the place within
/// it can be chosen, and has to look for its beginning when it is freed. Plain blocks are aligned to two words anyway.
pub(crate) struct Allocator;

/// What every block is aligned to that is not smaller, as the C standard has it of `malloc` (C17 §7.22.3).
const WORD: usize = size_of::<usize>();

// SAFETY: blocks are aligned as asked for: by `malloc`'s contract where a word's alignment is enough and the block is not
// smaller than it, and by that of `MiMalloc` otherwise. Both free with `mi_free`, whichever made the block.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_plain(layout) {
            // SAFETY: any size may be asked for.
            return unsafe { mi_malloc(layout.size()) }.cast();
        }
        // SAFETY: the caller's promises are the same.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_plain(layout) {
            // SAFETY: any size may be asked for.
            return unsafe { mi_zalloc(layout.size()) }.cast();
        }
        // SAFETY: the caller's promises are the same.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is mimalloc's, whichever way it was made.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        if is_plain(layout) && len >= layout.align() {
            // SAFETY: the block is mimalloc's, and of a word's alignment wherever it goes.
            return unsafe { mi_realloc(block.cast(), len) }.cast();
        }
        // SAFETY: the caller's promises are the same.
        unsafe { MiMalloc.realloc(block, layout, len) }
    }
}

const fn is_plain(layout: Layout) -> bool {
    layout.align() <= WORD && layout.size() >= layout.align()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of each size and alignment, some of them grown and shrunk, many of one size at a time.
    #[test]
    fn blocks_are_aligned_and_keep_what_they_hold() {
        for align in [1, 2, 4, 8, 16, 64, 4096] {
            for size in [1, 7, 8, 9, 16, 24, 40, 48, 100, 1000, 5000, 100_000] {
                let layout = Layout::from_size_align(size, align).unwrap();
                let blocks: Vec<*mut u8> = (0..9).map(|_| made(layout)).collect();
                for block in blocks {
                    check(block, layout, size.min(40));
                    let larger = size * 2 + 1;
                    // SAFETY: made by the same allocator with this layout.
                    let block = unsafe { Allocator.realloc(block, layout, larger) };
                    let layout = Layout::from_size_align(larger, align).unwrap();
                    check(block, layout, size.min(40));
                    // SAFETY: as above.
                    let block = unsafe { Allocator.realloc(block, layout, 1) };
                    let layout = Layout::from_size_align(1, align).unwrap();
                    check(block, layout, 1);
                    // SAFETY: as above.
                    unsafe { Allocator.dealloc(block, layout) };
                }
            }
        }
    }

    /// A block of zeros, and then of sevens.
    fn made(layout: Layout) -> *mut u8 {
        // SAFETY: the size is not 0.
        let (zeroed, block) = unsafe { (Allocator.alloc_zeroed(layout), Allocator.alloc(layout)) };
        for offset in 0..layout.size() {
            // SAFETY: within the blocks.
            unsafe {
                assert_eq!(*zeroed.add(offset), 0);
                *block.add(offset) = 7;
            }
        }
        // SAFETY: made with this layout.
        unsafe { Allocator.dealloc(zeroed, layout) };
        block
    }

    fn check(block: *mut u8, layout: Layout, sevens: usize) {
        assert!(!block.is_null() && block.addr().is_multiple_of(layout.align()), "{layout:?}");
        for offset in 0..sevens {
            // SAFETY: within the block.
            assert_eq!(unsafe { *block.add(offset) }, 7, "{layout:?}");
        }
    }
}
