use std::io::Write;
use std::path::PathBuf;

use super::*;
use crate::capture::LinkType;

/// A frame as a test keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Kept {
    nanos: u64,
    seq: u64,
    link: LinkType,
    wire_len: u32,
    bytes: Vec<u8>,
}

fn read_all(replay: &mut Replay) -> Vec<Kept> {
    let mut kept = Vec::new();
    let mut keep = |frame: Frame<'_>| {
        let Frame { at, seq, link, wire_len, bytes } = frame;
        kept.push(Kept { nanos: at.as_nanos(), seq, link, wire_len, bytes: bytes.to_vec() });
    };
    while replay.read(&mut keep).unwrap() != Read::End {}
    assert_eq!(replay.read(&mut keep).unwrap(), Read::End);
    assert_eq!(replay.counters().frames, kept.len() as u64);
    kept
}

/// Files in a directory that is removed with it.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// The frames of one file, and what was wrong with it.
fn replay(bytes: &[u8]) -> (Vec<Kept>, Vec<String>) {
    let mut replay = open(bytes).unwrap();
    let frames = read_all(&mut replay);
    (frames, replay.damage().iter().map(ToString::to_string).collect())
}

fn open(bytes: &[u8]) -> Result<Replay, CaptureError> {
    Replay::from_reader("capture", io::Cursor::new(bytes.to_vec()), None)
}

fn relative(files: &Files, error: &CaptureError) -> String {
    error.to_string().replace(&format!("{}/", files.0.path().display()), "")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A pcap file in little-endian order and microseconds, its frames given by seconds and content.
fn pcap(frames: &[(u32, &[u8])]) -> Vec<u8> {
    let mut file = PCAP_HEADER.to_vec();
    for (seconds, bytes) in frames {
        let len = u32::try_from(bytes.len()).unwrap();
        for field in [*seconds, 0, len, len] {
            file.extend(field.to_le_bytes());
        }
        file.extend(*bytes);
    }
    file
}

#[rustfmt::skip]
const PCAP_HEADER: [u8; 24] = [
    0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, // magic, version 2.4
    0, 0, 0, 0, 0, 0, 0, 0, // zone, accuracy
    0xff, 0xff, 0, 0, 1, 0, 0, 0, // snap length, LINKTYPE_ETHERNET
];

/// Magic of a big-endian file in nanoseconds, and one whose link type carries the length of a check sequence.
#[rustfmt::skip]
const PCAP_BIG_ENDIAN_NANOS: [u8; 43] = [
    0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4,
    0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0xff, 0xff, 0x24, 0, 0, 101, // FCS of 4 bytes, LINKTYPE_RAW
    0, 0, 0, 5, 0, 0, 0, 7, // 5 s, 7 ns
    0, 0, 0, 3, 0, 0, 0, 60, // captured, wire
    1, 2, 3,
];

#[test]
fn a_pcap_file_is_read_in_both_byte_orders_and_units() {
    let (frames, damage) = replay(&PCAP_BIG_ENDIAN_NANOS);
    let expected = Kept { nanos: 5_000_000_007, seq: 0, link: LinkType::Raw, wire_len: 60, bytes: vec![1, 2, 3] };
    assert_eq!((frames, damage), (vec![expected.clone()], vec![]));

    let mut file = PCAP_HEADER.to_vec();
    file.extend([5, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 60, 0, 0, 0, 1, 2, 3]);
    let (frames, damage) = replay(&file);
    let expected = Kept { nanos: 5_000_007_000, link: LinkType::Ethernet, ..expected };
    assert_eq!((frames, damage), (vec![expected], vec![]));
}

#[test]
fn the_records_of_a_patched_libpcap_are_longer() {
    let mut file = PCAP_HEADER.to_vec();
    file[..4].copy_from_slice(&[0x34, 0xcd, 0xb2, 0xa1]);
    for byte in [1, 2] {
        file.extend([5, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, byte, byte]);
    }
    let (frames, damage) = replay(&file);
    assert_eq!(frames.iter().map(|frame| &frame.bytes[..]).collect::<Vec<_>>(), [[1, 1], [2, 2]]);
    assert_eq!(damage, Vec::<String>::new());
}

#[test]
fn files_older_than_version_2_4_may_give_the_lengths_in_the_other_order() {
    let mut file = pcap(&[]);
    file[6] = 2;
    file.extend([5, 0, 0, 0, 7, 0, 0, 0, 60, 0, 0, 0, 2, 0, 0, 0, 1, 2]);
    let (frames, _) = replay(&file);
    assert_eq!((frames[0].wire_len, frames[0].bytes.len()), (60, 2));
}

/// A pcapng block in little-endian order.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len().next_multiple_of(4) + 12).unwrap().to_le_bytes();
    let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
    [&kind.to_le_bytes(), &len, body, &padding, &len].concat()
}

fn section_header() -> Vec<u8> {
    let mut body = vec![0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0];
    body.extend([0xff; 8]);
    block(0x0a0d_0d0a, &body)
}

/// An interface description; a snap length of 4.
fn interface(link: u8, options: &[u8]) -> Vec<u8> {
    block(1, &[&[link, 0, 0, 0, 4, 0, 0, 0], options].concat())
}

fn enhanced_packet(interface: u8, ticks: u64, wire_len: u8, bytes: &[u8]) -> Vec<u8> {
    let mut body = vec![interface, 0, 0, 0];
    body.extend(((ticks >> 32) as u32).to_le_bytes());
    body.extend((ticks as u32).to_le_bytes());
    body.extend([u8::try_from(bytes.len()).unwrap(), 0, 0, 0, wire_len, 0, 0, 0]);
    body.extend(bytes);
    block(6, &body)
}

/// A section of two interfaces: Ethernet in microseconds, raw IP in 2⁻²⁰ s with an offset of 100 s.
fn section() -> Vec<u8> {
    let options = [9, 0, 1, 0, 0x94, 0, 0, 0, 14, 0, 8, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    [section_header(), interface(1, &[]), interface(101, &options)].concat()
}

/// A big-endian section with an enhanced packet block in nanoseconds, byte for byte.
#[rustfmt::skip]
const PCAPNG_BIG_ENDIAN: [u8; 108] = [
    0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 28,
    0, 0, 0, 1, 0, 0, 0, 32, 0, 113, 0, 0, 0, 0, 0, 0, // interface: Linux SLL, no snap length
    0, 9, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, // if_tsresol 10⁻⁹, end of options
    0, 0, 0, 6, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, // 2³² + 2 ns
    0, 0, 0, 3, 0, 0, 0, 9, 0xaa, 0xbb, 0xcc, 0, // captured 3 of 9
    0, 1, 0, 2, b'h', b'i', 0, 0, 0, 0, 0, 0, 0, 0, 0, 48, // a comment
];

#[test]
fn pcapng_sections_have_their_own_byte_order_and_interfaces() {
    let mut file = section();
    file.extend(enhanced_packet(1, 1 << 20 | 1 << 19, 3, &[1, 2, 3]));
    file.extend(PCAPNG_BIG_ENDIAN);
    file.extend(section());
    file.extend(enhanced_packet(0, 200_000_000, 3, &[4, 5, 6]));
    let (frames, damage) = replay(&file);
    let kept = |nanos, seq, link, wire_len, bytes: [u8; 3]| Kept { nanos, seq, link, wire_len, bytes: bytes.to_vec() };
    // The second section's time lies before that of the first.
    let expected = vec![
        kept(101_500_000_000, 0, LinkType::Raw, 3, [1, 2, 3]),
        kept(101_500_000_000, 1, LinkType::LinuxSll, 9, [0xaa, 0xbb, 0xcc]),
        kept(200_000_000_000, 2, LinkType::Ethernet, 3, [4, 5, 6]),
    ];
    assert_eq!((frames, damage), (expected, vec![]));
    assert_eq!(replay(&PCAPNG_BIG_ENDIAN).0[0].nanos, (1 << 32) + 2);
}

#[test]
fn every_kind_of_packet_block_gives_its_frame() {
    let mut file = section();
    file.extend(enhanced_packet(0, 3_000_000, 6, &[1, 1]));
    // Simple: wire length 6, cut to the snap length 4.
    file.extend(block(3, &[6, 0, 0, 0, 2, 2, 2, 2]));
    // Name resolution, custom and unheard-of blocks.
    file.extend([block(4, &[0; 4]), block(0x0bad, &[1, 2, 3, 4, 5]), block(0x7777, &[])].concat());
    // Obsolete: interface 0, drops, time, captured, wire.
    file.extend(block(2, &[0, 0, 9, 0, 0, 0, 0, 0, 0x00, 0x09, 0x3d, 0, 3, 0, 0, 0, 3, 0, 0, 0, 3, 3, 3]));
    let (frames, damage) = replay(&file);
    let seen = frames.iter().map(|frame| (frame.nanos / 1_000_000_000, frame.wire_len, &frame.bytes[..]));
    let expected = [(3, 6, &[1, 1][..]), (3, 6, &[2, 2, 2, 2]), (4, 3, &[3, 3, 3])];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    assert_eq!(damage, Vec::<String>::new());
}

#[test]
fn a_time_that_cannot_be_is_that_of_the_frame_before() {
    let mut file = section();
    file.extend(enhanced_packet(0, 3_000_000, 1, &[1]));
    file.extend(enhanced_packet(0, 3_000_000_u64.wrapping_neg(), 1, &[2]));
    file.extend(enhanced_packet(0, 4_000_000, 1, &[3]));
    let seconds = replay(&file).0.into_iter().map(|frame| frame.nanos / 1_000_000_000);
    assert_eq!(seconds.collect::<Vec<_>>(), [3, 3, 4]);
}

#[test]
fn drops_that_a_pcapng_file_tells_of_are_told_on() {
    let statistics = |interface: u8, if_drop: u8, os_drop: u8| {
        let mut body = vec![interface, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        body.extend([5, 0, 8, 0, if_drop, 0, 0, 0, 0, 0, 0, 0, 7, 0, 8, 0, os_drop, 0, 0, 0, 0, 0, 0, 0]);
        block(5, &body)
    };
    let files = Files::new();
    let first = [section(), statistics(0, 1, 2), statistics(1, 10, 20), statistics(0, 3, 4)].concat();
    let file = [first, section(), statistics(0, 100, 200)].concat();
    let mut replay = Replay::open(&[files.write("drops.pcapng", &file)], None).unwrap();
    assert_eq!(replay.drops(), Drops::default());
    read_all(&mut replay);
    assert_eq!(replay.drops(), Drops { kernel: 224, interface: 113 });
}

#[test]
fn compression_is_known_by_content_whatever_the_name() {
    let plain = pcap(&[(1, &[1; 60]), (2, &[2; 60])]);
    let (head, tail) = plain.split_at(50);
    let members = [gzip(head), gzip(tail)].concat();
    let zstd_frames = [zstd::encode_all(head, 0).unwrap(), zstd::encode_all(tail, 0).unwrap()].concat();
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9][..], &zstd_frames].concat();
    let expected = replay(&plain);
    assert_eq!(expected.0.len(), 2);
    for compressed in [gzip(&plain), members, zstd_frames, skippable] {
        assert_eq!(replay(&compressed), expected);
    }
}

/// Every format there is, with the number of its frames.
fn samples() -> Vec<(Vec<u8>, usize)> {
    let classic = pcap(&[(1, &[1; 40]), (2, &[2; 3]), (3, &[])]);
    let mut pcapng = section();
    pcapng.extend(enhanced_packet(0, 1, 6, &[1, 1]));
    pcapng.extend(block(3, &[6, 0, 0, 0, 2, 2, 2, 2]));
    pcapng.extend(block(0x0bad, &[1; 30]));
    pcapng.extend(PCAPNG_BIG_ENDIAN);
    vec![
        (gzip(&classic), 3),
        (zstd::encode_all(&classic[..], 0).unwrap(), 3),
        (classic, 3),
        (gzip(&pcapng), 3),
        (pcapng, 3),
        (PCAP_BIG_ENDIAN_NANOS.to_vec(), 1),
    ]
}

#[test]
fn every_prefix_of_a_file_gives_whole_frames_of_it_or_says_what_it_lacks() {
    for (whole, frames) in samples() {
        let (expected, damage) = replay(&whole);
        assert_eq!((expected.len(), damage.len()), (frames, 0));
        for len in 0..whole.len() {
            let Ok(mut replay) = open(&whole[..len]) else { continue };
            let read = read_all(&mut replay);
            assert_eq!(read, expected[..read.len()], "{len} of {}", whole.len());
            let ends_within_a_record = !replay.damage().is_empty();
            assert!(ends_within_a_record || !is_compressed(&whole), "{len} of {}", whole.len());
        }
    }
}

fn is_compressed(file: &[u8]) -> bool {
    file[0] == 0x1f || file[0] == 0x28
}

proptest::proptest! {
    /// Bytes changed anywhere never make a panic, a frame of more than the limit, or time that runs backwards.
    #[test]
    fn a_damaged_file_is_read_as_far_as_it_makes_sense(
        sample in 0_usize..6, changes in proptest::collection::vec((0_usize..400, 0_u8..), 1..6)
    ) {
        let (mut file, _) = samples().swap_remove(sample);
        for (place, value) in changes {
            let len = file.len();
            file[place % len] = value;
        }
        if let Ok(mut replay) = open(&file) {
            let frames = read_all(&mut replay);
            assert!(frames.len() <= file.len());
            assert!(frames.is_sorted_by_key(|frame| (frame.nanos, frame.seq)));
            assert!(replay.damage().len() <= 1);
        }
    }
}

#[test]
fn frames_that_cross_the_window_are_whole() {
    let frames = (0..5000_u32).map(|n| (n, vec![n as u8; (n % 1500) as usize])).collect::<Vec<_>>();
    let file = pcap(&frames.iter().map(|(n, bytes)| (*n, &bytes[..])).collect::<Vec<_>>());
    assert!(file.len() > 3 * window::Window::BYTES);
    let (read, damage) = replay(&file);
    assert_eq!(
        read.iter().map(|frame| &frame.bytes).collect::<Vec<_>>(),
        frames.iter().map(|f| &f.1).collect::<Vec<_>>()
    );
    assert_eq!(damage, Vec::<String>::new());
}

#[test]
fn blocks_that_are_skipped_may_be_longer_than_the_window() {
    let secrets = block(10, &vec![7; 3 * window::Window::BYTES]);
    let file = [section(), secrets, enhanced_packet(0, 1, 2, &[1, 2])].concat();
    let (frames, damage) = replay(&file);
    assert_eq!((frames.len(), damage), (1, vec![]));
    let (frames, damage) = replay(&file[..2 * window::Window::BYTES]);
    let message = "capture: ends at byte 92 within a record; every frame before it was read, the rest was never \
                   written or was cut off";
    assert_eq!((frames.len(), damage), (0, vec![message.to_owned()]));
}

/// The first byte of each frame.
fn firsts(frames: &[Kept]) -> Vec<u8> {
    frames.iter().map(|frame| frame.bytes[0]).collect()
}

#[test]
fn files_are_merged_in_time_order_and_equal_times_in_the_order_given() {
    let files = Files::new();
    let a = files.write("a", &pcap(&[(1, &[10]), (5, &[11]), (6, &[12]), (9, &[13])]));
    let b = files.write("b", &gzip(&pcap(&[(2, &[20]), (5, &[21]), (7, &[22])])));
    let late = files.write("late", &pcap(&[(20, &[30]), (21, &[31])]));
    let empty = files.write("empty", &pcap(&[]));
    let mut replay = Replay::open(&[late.clone(), b.clone(), empty, a.clone()], None).unwrap();
    let frames = read_all(&mut replay);
    assert_eq!(firsts(&frames), [10, 20, 21, 11, 12, 22, 13, 30, 31]);
    assert_eq!(frames.iter().map(|frame| frame.seq).collect::<Vec<_>>(), (0..9).collect::<Vec<_>>());
    assert_eq!(replay.counters().reordered, 0);
    let mut replay = Replay::open(&[a, b, late], None).unwrap();
    assert_eq!(firsts(&read_all(&mut replay)), [10, 20, 11, 21, 12, 22, 13, 30, 31]);
}

#[test]
fn a_file_is_open_only_while_its_frames_are_due() {
    let files = Files::new();
    let paths = (0..40)
        .map(|n| files.write(&format!("{n}"), &pcap(&[(n, &[n as u8]), (n + 1, &[n as u8])])))
        .collect::<Vec<_>>();
    let mut replay = Replay::open(&paths, None).unwrap();
    let mut frames = 0;
    while replay.read(&mut |_| frames += 1).unwrap() != Read::End {
        assert!(replay.active.len() <= 3);
    }
    assert_eq!(frames, 80);
}

#[test]
fn time_that_runs_backwards_stands_still_and_is_counted() {
    let files = Files::new();
    let path = files.write("capture", &pcap(&[(5, &[1]), (3, &[2]), (4, &[3]), (6, &[4])]));
    let mut replay = Replay::open(&[path], None).unwrap();
    let seconds = read_all(&mut replay).iter().map(|frame| frame.nanos / 1_000_000_000).collect::<Vec<_>>();
    assert_eq!(seconds, [5, 5, 5, 6]);
    assert_eq!(replay.counters().reordered, 2);
}

#[test]
fn filtered_frames_are_counted_and_keep_their_number() {
    let files = Files::new();
    let arp = [&[2; 12][..], &[0x08, 0x06], &[0; 28]].concat();
    let ip = [&[2; 12][..], &[0x08, 0x00, 0x45], &[0; 27]].concat();
    let path = files.write("capture", &pcap(&[(1, &arp), (2, &ip), (3, &arp)]));
    let mut replay = Replay::open(&[path], Some("arp")).unwrap();
    assert_eq!(read_all(&mut replay).iter().map(|frame| frame.seq).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(replay.counters(), Counters { frames: 2, bytes: 84, filtered: 1, reordered: 0 });
}

#[test]
fn progress_counts_the_bytes_of_the_files_as_they_are_on_disk() {
    let files = Files::new();
    let (a, b) = (pcap(&[(1, &[1; 100])]), gzip(&pcap(&[(2, &[2; 10_000])])));
    let paths = [files.write("a", &a), files.write("b", &b)];
    let mut replay = Replay::open(&paths, None).unwrap();
    let progress = replay.progress();
    let total = (a.len() + b.len()) as u64;
    assert_eq!((progress.read_bytes(), progress.total_bytes()), (0, Some(total)));
    read_all(&mut replay);
    assert_eq!(progress.read_bytes(), total);
}

#[test]
fn frames_that_lie_together_are_handed_on_together_in_their_order() {
    let frame: [u8; 1] = [7];
    let every_second = |seconds: std::ops::Range<u32>| pcap(&seconds.map(|at| (at, &frame[..])).collect::<Vec<_>>());
    let files = Files::new();
    let long = files.write("long.pcap", &every_second(0..70));
    let short = files.write("short.pcap", &every_second(40..42));
    let groups = |paths: &[PathBuf], filter| {
        let mut replay = Replay::open(paths, filter).unwrap();
        let mut groups: Vec<Vec<u64>> = Vec::new();
        let mut keep = |frames: &[Frame<'_>]| groups.push(frames.iter().map(|frame| frame.at.as_secs()).collect());
        while replay.read_groups(&mut keep).unwrap() != Read::End {}
        assert_eq!(replay.counters().frames, groups.concat().len() as u64);
        groups
    };
    let seconds = |seconds: std::ops::Range<u64>| seconds.collect::<Vec<_>>();
    assert_eq!(groups(std::slice::from_ref(&long), None), [seconds(0..32), seconds(32..64), seconds(64..70)]);
    // Where two files take turns, nobody's frame comes before its time.
    let merged = groups(&[long.clone(), short], None);
    assert!(merged.iter().all(|group| (1..=GROUP_FRAMES).contains(&group.len())), "{merged:?}");
    let in_order = [seconds(0..41), vec![40, 41, 41], seconds(42..70)].concat();
    assert_eq!(merged.concat(), in_order);
    assert_eq!(groups(&[long], Some("greater 2")), Vec::<Vec<u64>>::new());
}

#[test]
fn frames_of_a_pipe_come_through_as_they_arrive() {
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    let file = pcap(&[(1, &[1]), (2, &[2]), (3, &[3])]);
    let (two, third) = file.split_at(file.len() - 5);
    writer.write_all(two).unwrap();
    let mut replay = Replay::open(&[path], None).unwrap();
    assert_eq!(replay.progress().total_bytes(), None);
    let mut firsts = Vec::new();
    assert_eq!(replay.read(&mut |frame| firsts.push(frame.bytes[0])).unwrap(), Read::Frames);
    assert_eq!(firsts, [1, 2]);
    writer.write_all(third).unwrap();
    drop((writer, reader));
    assert_eq!(read_all_more(&mut replay), [3]);
}

fn read_all_more(replay: &mut Replay) -> Vec<u8> {
    let mut firsts = Vec::new();
    while replay.read(&mut |frame| firsts.push(frame.bytes[0])).unwrap() != Read::End {}
    firsts
}

#[test]
fn a_truncated_file_says_where_and_the_others_are_read_on() {
    let files = Files::new();
    let whole = pcap(&[(1, &[1; 4]), (3, &[3; 4])]);
    let cut = files.write("cut.pcap", &whole[..whole.len() - 1]);
    let noise = (0..=255_u8).map(|n| n.wrapping_mul(n) ^ n.rotate_left(3)).collect::<Vec<_>>();
    let packed = gzip(&pcap(&[(1, &[1; 4]), (4, &noise)]));
    let cut_gz = files.write("cut.pcap.gz", &packed[..packed.len() - 12]);
    let good = files.write("good.pcap", &pcap(&[(2, &[2; 4]), (5, &[5; 4])]));
    let mut replay = Replay::open(&[cut, cut_gz, good], None).unwrap();
    assert_eq!(firsts(&read_all(&mut replay)), [1, 1, 2, 5]);
    let mut damage = replay.damage().iter().map(|error| relative(&files, error)).collect::<Vec<_>>();
    damage.sort();
    let tail = "within a record; every frame before it was read, the rest was never written or was cut off";
    let of_gz = format!("cut.pcap.gz: ends at byte 44 of the uncompressed data {tail}");
    assert_eq!(damage, [of_gz, format!("cut.pcap: ends at byte 44 {tail}")]);
}

#[test]
fn each_fault_says_where_and_what() {
    let damage = |bytes: &[u8]| replay(bytes).1.concat();
    let claims = |len: [u8; 4]| [&pcap(&[])[..], &[0; 8], &len, &len].concat();
    let told = |place: u32, fault: &str| {
        format!("capture: damaged at byte {place}: {fault}; every frame before it was read, what follows it is lost")
    };
    assert_eq!(
        damage(&claims([0, 0, 4, 1])),
        told(24, "a frame of 17039360 bytes is longer than the 262144 that are read")
    );
    let after_section = |block: &[u8]| damage(&[&section(), block].concat());
    assert_eq!(
        after_section(&[6, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0]),
        told(92, "a block of 13 bytes is shorter than what it must hold, or no multiple of four")
    );
    assert_eq!(
        after_section(&[6, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0]),
        told(92, "a block of 2147483648 bytes is longer than any that is read")
    );
    let mut packet = enhanced_packet(2, 1, 2, &[1, 2]);
    assert_eq!(after_section(&packet), told(92, "a frame is from interface 2, which the file does not describe"));
    *packet.last_mut().unwrap() = 9;
    assert_eq!(after_section(&packet), told(92, "a block begins with the length 36 and ends with 150994980"));
    assert_eq!(
        damage(&[10, 13, 13, 10, 28, 0, 0, 0, 1, 2, 3, 4]),
        told(0, "a section begins without the byte-order magic")
    );
    let mut bad_gz = gzip(&pcap(&[(1, &[1; 4])]));
    let crc = bad_gz.len() - 8;
    bad_gz[crc] ^= 1;
    assert_eq!(
        damage(&bad_gz),
        "capture: cannot be read at byte 44 of the uncompressed data: corrupt gzip stream does not have a matching checksum"
    );
}

#[test]
fn a_file_that_is_no_capture_is_refused() {
    let files = Files::new();
    let refusal = |path: PathBuf| relative(&files, &Replay::open(&[path], None).err().unwrap());
    assert_eq!(
        refusal(files.write("notes.txt", b"Hello")),
        "notes.txt: not a capture file: it begins with 48 65 6c 6c, which is neither pcap nor pcapng, plain or \
         compressed by gzip or zstd; give a file that tcpdump, dumpcap or Wireshark wrote"
    );
    assert_eq!(
        refusal(files.write("empty.pcap", b"")),
        "empty.pcap: not a capture file: it is empty; give a file that tcpdump, dumpcap or Wireshark wrote"
    );
    assert_eq!(
        refusal(files.write("short.pcap", &PCAP_HEADER[..20])),
        "short.pcap: ends at byte 0 within a record; every frame before it was read, the rest was never written or \
         was cut off"
    );
    assert_eq!(
        refusal(files.0.path().join("gone.pcap")),
        "gone.pcap: no such file; check the path, or give - for standard input"
    );
    std::fs::create_dir(files.0.path().join("dir")).unwrap();
    assert_eq!(refusal(files.0.path().join("dir")), "dir: is a directory; name the capture files in it");
    let file = "locked.pcap".to_owned();
    assert_eq!(
        CaptureError::NoPermission { file }.to_string(),
        "locked.pcap: permission denied; let the user that runs spanwatch read it"
    );
}
