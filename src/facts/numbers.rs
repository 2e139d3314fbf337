//! How frames and recorded facts are numbered, in one process and in those after it.

use serde::{Deserialize, Serialize};

/// How far frames and recordings were numbered. A process that remembers an earlier one begins behind its numbers, so that no
/// flow is taken for one that is remembered.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Numbers {
    /// The number of the next frame.
    pub frames: u64,
    /// The number of the next recording.
    pub recordings: u64,
}

impl Numbers {
    /// The recordings that are told apart.
    pub const RECORDINGS_MAX: u64 = 1 << 14;
    /// A recording has 2⁴⁸ numbers of its own.
    pub const RECORDING_BITS: u32 = 48;
    const FIRST_RECORDING: u64 = 1 << 62;

    /// The first number of a recording: behind those of the frames of any capture, and of the recordings before it, and less
    /// than what a signed number of 64 bits holds.
    pub const fn of_recording(number: u64) -> u64 {
        Self::FIRST_RECORDING | (number % Self::RECORDINGS_MAX) << Self::RECORDING_BITS
    }

    /// Takes note of a number that was given.
    pub const fn note(&mut self, given: u64) {
        if given < Self::FIRST_RECORDING {
            if given >= self.frames {
                self.frames = given + 1;
            }
            return;
        }
        let recording = (given - Self::FIRST_RECORDING) >> Self::RECORDING_BITS;
        if recording >= self.recordings {
            self.recordings = recording + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_process_begins_behind_what_was_given() {
        let mut numbers = Numbers::default();
        for given in [7, 3, Numbers::of_recording(2) | 9, Numbers::of_recording(0)] {
            numbers.note(given);
        }
        assert_eq!(numbers, Numbers { frames: 8, recordings: 3 });
    }
}
