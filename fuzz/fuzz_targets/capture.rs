//! Capture files to frames. Input: the file.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use spanwatch::capture::{FrameSource, Read, Replay};
use spanwatch::time::Timestamp;

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("spanwatch-fuzz-capture-{}", std::process::id())));

fuzz_target!(|input: &[u8]| {
    std::fs::write(&*FILE, input).expect("the temporary directory can be written to");
    let Ok(mut replay) = Replay::open(std::slice::from_ref(&*FILE), None) else {
        return;
    };
    let (mut frames, mut bytes, mut last) = (0, 0, Timestamp::ZERO);
    let read_to_the_end = loop {
        let read = replay.read(&mut |frame| {
            assert_eq!(frame.seq, frames, "frames are counted from 0 on");
            assert!(frame.at >= last, "time does not run backwards");
            assert!(frame.bytes.len() <= frame.wire_len as usize);
            frames += 1;
            bytes += frame.bytes.len() as u64;
            last = frame.at;
        });
        match read {
            Ok(Read::End) => break true,
            Ok(_) => {}
            Err(_) => break false,
        }
    };
    let counters = replay.counters();
    assert_eq!((counters.frames, counters.bytes), (frames, bytes));
    assert!(replay.damage().len() <= 1, "a file ends once");
    if read_to_the_end {
        assert!(matches!(replay.read(&mut |_| panic!("a frame behind the end")), Ok(Read::End)));
    }
});
