//! Live capture on a virtual network interface, in a network namespace of its own. Needs root and iproute2; without
//! them each test says so and does nothing.
#![allow(unsafe_code, reason = "a test's own thread changes its network namespace and its user, and sends frames")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::process::Command;
use std::thread;

use spanwatch::capture::{CaptureError, Drops, Frame, FrameSource, Live, LiveSettings, Read, Replay};
use spanwatch::time::Timestamp;

#[test]
fn a_burst_reaches_two_members_whole_and_no_flow_is_split() {
    on_a_link("burst", |link| {
        let mut members = Live::open(&link.settings(), 2).unwrap();
        let (flows, rounds) = (200, 100);
        let mut seen = Seen::default();
        for _ in 0..rounds {
            for flow in 1000..1000 + flows {
                link.send(&datagram(&[], flow, SERVER_PORT));
                link.send(&datagram(&[], SERVER_PORT, flow));
            }
            seen.read(&mut members);
        }
        seen.read_until_idle(&mut members);

        let sent = u64::from(flows) * rounds * 2;
        let counts = members.iter().map(|member| member.counters().frames).collect::<Vec<_>>();
        assert_eq!(counts.iter().sum::<u64>(), sent, "{counts:?}");
        assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
        assert_eq!(seen.numbers.len() as u64, sent);
        assert_eq!(seen.members_by_flow.len(), usize::from(flows));
        assert!(seen.members_by_flow.values().all(|members| members.len() == 1));
        assert!(members.iter_mut().all(|member| member.drops() == Drops::default()));
    });
}

#[test]
fn frames_that_the_ring_has_no_room_for_are_counted() {
    on_a_link("flood", |link| {
        let settings = LiveSettings { buffer_bytes: 1 << 20, ..link.settings() };
        let mut members = Live::open(&settings, 1).unwrap();
        let sent = 20_000;
        for _ in 0..sent {
            link.send(&datagram(&[], 1, SERVER_PORT));
        }
        Seen::default().read_until_idle(&mut members);
        let (read, drops) = (members[0].counters().frames, members[0].drops());
        assert!(drops.kernel > 0);
        assert_eq!((read + drops.kernel, drops.interface), (sent, 0));
    });
}

#[test]
fn the_filter_means_the_same_live_and_in_a_replay_whatever_the_vlan_tags() {
    on_a_link("filter", |link| {
        let frames = [&[][..], &[5], &[5, 6]].map(|tags| [443, 53].map(|port| datagram(tags, 1111, port))).concat();
        for filter in ["udp port 53", "not udp port 53", "udp", "tcp", "vlan 5 and udp port 53", "mpls or udp port 53"]
        {
            let settings = LiveSettings { filter: Some(filter.to_owned()), ..link.settings() };
            let mut live = Live::open(&settings, 1).unwrap();
            frames.iter().for_each(|frame| link.send(frame));
            let mut live_frames = Vec::new();
            while !matches!(live[0].read(&mut |frame| live_frames.push(frame.bytes.to_vec())).unwrap(), Read::Idle(_)) {
            }
            assert_eq!(live_frames, replayed(&frames, filter), "{filter}");
        }
    });
}

#[test]
fn time_goes_on_without_frames_but_not_past_those_the_kernel_holds() {
    on_a_link("idle", |link| {
        let mut live = Live::open(&link.settings(), 1).unwrap().remove(0);
        let mut promised = Timestamp::ZERO;
        for _ in 0..10 {
            link.send(&datagram(&[], 1, 2));
            // Three times without a frame, or whenever the kernel hands it on.
            for _ in 0..3 {
                match live.read(&mut |frame| assert!(frame.at >= promised)).unwrap() {
                    Read::Idle(at) => promised = promised.max(at),
                    Read::Frames => {}
                    Read::End => panic!("an interface has no end"),
                }
            }
        }
        assert!(promised > Timestamp::ZERO);
        assert_eq!((live.counters().frames, live.counters().reordered), (10, 0));
    });
}

#[test]
fn an_interface_that_disappears_is_told() {
    on_a_link("gone", |link| {
        let mut live = Live::open(&link.settings(), 1).unwrap().remove(0);
        assert!(matches!(live.read(&mut |_| ()), Ok(Read::Idle(_))));
        ip(&["link", "delete", "mirror"]);
        let error = (0..50).find_map(|_| live.read(&mut |_| ()).err()).unwrap();
        assert_eq!(
            error.to_string(),
            "interface mirror: has disappeared; bring it back, and capture can be opened again"
        );
        assert!(matches!(Live::open(&link.settings(), 1), Err(CaptureError::UnknownInterface { .. })));
    });
}

#[test]
fn an_interface_that_goes_down_and_up_again_is_read_on() {
    on_a_link("down", |link| {
        let mut live = Live::open(&link.settings(), 1).unwrap();
        let mut seen = Seen::default();
        ip(&["link", "set", "mirror", "down"]);
        assert!(!seen.read(&mut live));
        ip(&["link", "set", "mirror", "up"]);
        // The kernel takes its time to see that the link is up.
        let sent = (0..50).find(|_| {
            link.send(&datagram(&[], 1, 2));
            seen.read(&mut live)
        });
        assert!(sent.is_some());
    });
}

#[test]
fn without_the_privilege_the_remedy_is_told() {
    on_a_link("privilege", |link| {
        // SAFETY: the system call, unlike libc's function, changes this thread alone, which ends with the test.
        assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) }, 0);
        let error = Live::open(&link.settings(), 1).err().unwrap();
        assert_eq!(
            error.to_string(),
            "interface mirror: no permission to capture; run `setcap cap_net_raw+ep` on the spanwatch binary, or give \
             its systemd unit `AmbientCapabilities=CAP_NET_RAW`, or run it as root"
        );
    });
}

/// Runs a test on a thread in a new network namespace with a link in it, or says why it does not.
fn on_a_link(test: &str, run: impl FnOnce(&Link) + Send) {
    // SAFETY: geteuid only reads.
    if unsafe { libc::geteuid() } != 0 {
        return eprintln!("{test}: skipped, network namespaces need root");
    }
    let ran = thread::scope(|scope| {
        scope
            .spawn(|| {
                enter_new_namespace()?;
                run(&Link::new());
                Ok::<_, io::Error>(())
            })
            .join()
    });
    match ran {
        Ok(Ok(())) => {}
        Ok(Err(error)) => eprintln!("{test}: skipped, no network namespace: {error}"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The namespace ends with its thread.
fn enter_new_namespace() -> io::Result<()> {
    // SAFETY: the call concerns the calling thread alone, and takes no pointers.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Otherwise the interfaces greet each other.
    for interfaces in ["all", "default"] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{interfaces}/disable_ipv6"), "1");
    }
    Ok(())
}

/// A pair of virtual interfaces: what is sent into `wire` comes out of `mirror`.
struct Link {
    wire: File,
}

impl Link {
    fn new() -> Self {
        ip(&["link", "add", "wire", "type", "veth", "peer", "name", "mirror"]);
        ip(&["link", "set", "wire", "up"]);
        ip(&["link", "set", "mirror", "up"]);
        Self { wire: packet_socket(c"wire").unwrap() }
    }

    fn settings(&self) -> LiveSettings {
        LiveSettings { interface: "mirror".to_owned(), ..LiveSettings::default() }
    }

    fn send(&self, frame: &[u8]) {
        assert_eq!((&self.wire).write(frame).unwrap(), frame.len());
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A socket that sends frames and receives none.
fn packet_socket(interface: &CStr) -> io::Result<File> {
    // SAFETY: socket takes no pointers, and what it returns is nobody else's.
    let socket = unsafe {
        let socket = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        File::from_raw_fd(socket)
    };
    // SAFETY: an address of zeros is one, the name ends with a zero, and both outlive the calls.
    let bound = unsafe {
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = libc::if_nametoindex(interface.as_ptr()) as i32;
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_ll>() as u32)
    };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

const SERVER_PORT: u16 = 443;

/// An Ethernet frame with VLAN tags, outermost first, that carries a UDP datagram between 10.0.0.1 and the server
/// 10.0.0.2.
fn datagram(tags: &[u16], source_port: u16, target_port: u16) -> Vec<u8> {
    let (source, target) = if source_port == SERVER_PORT { (2, 1) } else { (1, 2) };
    let mut frame = vec![2, 0, 0, 0, 0, target, 2, 0, 0, 0, 0, source];
    for tag in tags {
        frame.extend([0x81, 0x00]);
        frame.extend(tag.to_be_bytes());
    }
    frame.extend([0x08, 0x00, 0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, source, 10, 0, 0, target]);
    frame.extend(source_port.to_be_bytes());
    frame.extend(target_port.to_be_bytes());
    frame.extend([0, 12, 0, 0, 1, 2, 3, 4]);
    frame
}

/// What the members of a capture have handed on.
#[derive(Default)]
struct Seen {
    numbers: BTreeSet<u64>,
    /// By the client's port.
    members_by_flow: BTreeMap<u16, BTreeSet<usize>>,
}

impl Seen {
    /// Reads once from each member, and says whether any had a frame.
    fn read(&mut self, members: &mut [Live]) -> bool {
        let mut any = false;
        for (number, member) in members.iter_mut().enumerate() {
            any |= member.read(&mut |frame| self.note(number, frame)).unwrap() == Read::Frames;
        }
        any
    }

    fn read_until_idle(&mut self, members: &mut [Live]) {
        while self.read(members) || self.read(members) {}
    }

    fn note(&mut self, member: usize, frame: Frame<'_>) {
        let port = |at| u16::from_be_bytes([frame.bytes[at], frame.bytes[at + 1]]);
        let flow = if port(34) == SERVER_PORT { port(36) } else { port(34) };
        self.numbers.insert(frame.seq);
        self.members_by_flow.entry(flow).or_default().insert(member);
    }
}

/// The frames that a replay of them hands on.
fn replayed(frames: &[Vec<u8>], filter: &str) -> Vec<Vec<u8>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0])
        .unwrap();
    for frame in frames {
        let len = (frame.len() as u32).to_le_bytes();
        file.write_all(&[&[0; 8], &len[..], &len[..], frame].concat()).unwrap();
    }
    let mut replay = Replay::open(&[file.path().to_owned()], Some(filter)).unwrap();
    let mut kept = Vec::new();
    while replay.read(&mut |frame| kept.push(frame.bytes.to_vec())).unwrap() != Read::End {}
    kept
}
