//! A network interface in, its frames out: one source, or several that share the interface's flows.

use std::ops::Range;
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use pcap::{Active, Capture, Device, PacketHeader, Precision};

use super::socket::{self, Fanout};
use super::{CaptureError, Clock, Counters, Drops, Filter, Frame, FrameSource, LinkType, Read};
use crate::quantity;
use crate::time::Timestamp;

/// How a network interface is watched.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveSettings {
    /// The interface's name; `any` watches all of them, and none in promiscuous mode.
    pub interface: String,
    /// A capture filter in the language of pcap-filter(7).
    pub filter: Option<String>,
    /// The kernel's ring for each source.
    #[serde(deserialize_with = "quantity::bytes")]
    pub buffer_bytes: u32,
    /// Longer frames are cut to this length. The ring holds frames at their own length, so that a large value
    /// costs nothing where frames are small.
    #[serde(deserialize_with = "quantity::bytes")]
    pub snap_bytes: u32,
    /// Whether frames are captured that are not addressed to this machine, as on a mirror port none is.
    pub promiscuous: bool,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self { interface: String::new(), filter: None, buffer_bytes: 64 << 20, snap_bytes: 262_144, promiscuous: true }
    }
}

/// Frames of a network interface.
pub struct Live {
    interface: String,
    capture: Capture<Active>,
    link: LinkType,
    clock: Clock,
    counters: Counters,
    /// Frames from the time when the members were not grouped yet may have been given to every one, and are left out. Those from
    /// before are of a clock that was set back.
    ungrouped: Range<Timestamp>,
    numbering: Numbering,
    /// The interface's own drops are the same for each member, and one of them tells.
    tells_interface_drops: bool,
    loss: Loss,
}

/// Frames are numbered so that no two members give the same number.
#[derive(Clone, Copy, Debug)]
struct Numbering {
    next: u64,
    members: u64,
}

/// The drop counters of libpcap, which wrap at 32 bits, made whole.
#[derive(Clone, Copy, Debug, Default)]
struct Loss {
    kernel_seen: u32,
    interface_seen: u32,
    drops: Drops,
}

/// How long a read waits for frames, and how long the kernel holds a frame back to fill a block with.
const WAIT: Duration = Duration::from_millis(100);

/// How far idle time stays behind the system's clock: a frame may be that old when the kernel hands it on.
const IDLE_LAG: Duration = Duration::from_millis(500);

impl Live {
    /// Opens an interface once for each member, the first being the one to report the interface's own drops. All
    /// frames of a flow, in both directions, come to the same member.
    pub fn open(settings: &LiveSettings, members: usize) -> Result<Vec<Self>, CaptureError> {
        let begun = now();
        let filter = settings.filter.as_deref().map(Filter::new).transpose()?;
        let numbers = 0..members.max(1) as u64;
        let mut sources = numbers
            .clone()
            .map(|member| Self::open_one(settings, member, numbers.end))
            .collect::<Result<Vec<_>, _>>()?;
        share(&sources).map_err(|error| CaptureError::Interface {
            interface: settings.interface.clone(),
            reason: format!("its flows cannot be shared among {} sources: {error}", sources.len()),
        })?;
        let ungrouped = begun..now();
        for source in &mut sources {
            source.ungrouped.clone_from(&ungrouped);
            if let Some(filter) = &filter {
                let expression = filter.for_link(source.link);
                source.capture.filter(&expression, true).map_err(|error| filter.refused(&error))?;
            }
        }
        Ok(sources)
    }

    /// Numbers the frames behind those that are remembered of earlier captures.
    pub const fn number_from(&mut self, first: u64) {
        self.numbering.next = self.numbering.next.saturating_add(first);
    }

    fn open_one(settings: &LiveSettings, member: u64, members: u64) -> Result<Self, CaptureError> {
        let interface = &settings.interface;
        let capture = Capture::from_device(interface.as_str())
            .and_then(|capture| {
                // libpcap cannot set `any` to promiscuous mode, and the warning would be taken for an error.
                capture
                    .promisc(settings.promiscuous && interface != "any")
                    .snaplen(as_c_int(settings.snap_bytes))
                    .buffer_size(as_c_int(settings.buffer_bytes))
                    .timeout(as_c_int(WAIT.subsec_millis()))
                    .precision(Precision::Nano)
                    .open()
            })
            .and_then(Capture::setnonblock)
            .map_err(|error| refused(interface, &error))?;
        let link = capture.get_datalink().0;
        Ok(Self {
            interface: interface.clone(),
            link: LinkType::from_value(u16::try_from(link).unwrap_or(u16::MAX)),
            capture,
            clock: Clock::default(),
            counters: Counters::default(),
            ungrouped: Timestamp::ZERO..Timestamp::ZERO,
            numbering: Numbering { next: member, members },
            tells_interface_drops: member == 0,
            loss: Loss::default(),
        })
    }

    /// Hands on what the kernel has ready, and says how many frames that were.
    /// One by one: libpcap promises no frame beyond the call that shows it.
    fn dispatch(&mut self, each: &mut dyn FnMut(&[Frame<'_>])) -> Result<usize, CaptureError> {
        let Self { capture, link, clock, counters, ungrouped, numbering, .. } = self;
        let dispatched = capture.dispatch(None, |packet| {
            let at = time(packet.header);
            if ungrouped.contains(&at) {
                return;
            }
            counters.frames = counters.frames.saturating_add(1);
            counters.bytes = counters.bytes.saturating_add(packet.data.len() as u64);
            each(&[Frame {
                at: clock.frame(at),
                seq: numbering.take(),
                link: *link,
                wire_len: packet.header.len.max(packet.header.caplen),
                bytes: packet.data,
            }]);
        });
        dispatched.map_err(|error| lost(&self.interface, &error))
    }
}

impl FrameSource for Live {
    /// Waits a tenth of a second at most. Time goes on without frames, but stays behind the system's clock by as much
    /// as the kernel may hold a frame back.
    fn read_groups(&mut self, each: &mut dyn FnMut(&[Frame<'_>])) -> Result<Read, CaptureError> {
        if self.dispatch(each)? > 0 {
            return Ok(Read::Frames);
        }
        socket::wait(self.capture.as_fd(), WAIT);
        if self.dispatch(each)? > 0 {
            return Ok(Read::Frames);
        }
        Ok(Read::Idle(self.clock.idle(now() - IDLE_LAG)))
    }

    fn drops(&mut self) -> Drops {
        if let Ok(stat) = self.capture.stats() {
            self.loss.update(stat.dropped, if self.tells_interface_drops { stat.if_dropped } else { 0 });
        }
        self.loss.drops
    }

    fn counters(&self) -> Counters {
        Counters { reordered: self.clock.reordered, ..self.counters }
    }
}

impl Numbering {
    fn take(&mut self) -> u64 {
        let seq = self.next;
        self.next = seq.saturating_add(self.members);
        seq
    }
}

impl Loss {
    fn update(&mut self, kernel: u32, interface: u32) {
        let Self { kernel_seen, interface_seen, drops } = self;
        *drops = drops.plus(Drops {
            kernel: kernel.wrapping_sub(*kernel_seen).into(),
            interface: interface.wrapping_sub(*interface_seen).into(),
        });
        (*kernel_seen, *interface_seen) = (kernel, interface);
    }
}

/// Spreads the frames of the interface that all of them watch over the sources.
fn share(sources: &[Live]) -> std::io::Result<()> {
    let [first, others @ ..] = sources else { return Ok(()) };
    if others.is_empty() {
        return Ok(());
    }
    let fanout = Fanout::new(first.capture.as_fd())?;
    others.iter().try_for_each(|source| fanout.join(source.capture.as_fd()))
}

/// With [`Precision::Nano`], what is named microseconds is nanoseconds.
fn time(header: &PacketHeader) -> Timestamp {
    let seconds = u64::try_from(header.ts.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(header.ts.tv_usec).unwrap_or(0);
    Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The clock that the kernel stamps frames by; nothing behind capture asks for it.
#[allow(clippy::disallowed_methods, reason = "an interface without traffic has no packet time but the system's")]
fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::ZERO + since_epoch
}

fn as_c_int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Why an interface cannot be opened.
fn refused(interface: &str, error: &pcap::Error) -> CaptureError {
    let (interface, reason) = (interface.to_owned(), super::filter::reason(error));
    match interfaces() {
        Some(known) if !known.contains(&interface) => {
            CaptureError::UnknownInterface { interface, known: known.join(", ") }
        }
        _ if is_permission(&reason) => CaptureError::NoPrivilege { interface },
        _ => CaptureError::Interface { interface, reason },
    }
}

/// Why an interface cannot be read on.
fn lost(interface: &str, error: &pcap::Error) -> CaptureError {
    let (interface, reason) = (interface.to_owned(), super::filter::reason(error));
    match interfaces() {
        Some(known) if !known.contains(&interface) => CaptureError::InterfaceGone { interface },
        _ => CaptureError::Interface { interface, reason },
    }
}

/// libpcap tells of missing rights only in words.
fn is_permission(reason: &str) -> bool {
    ["CAP_NET_RAW", "Operation not permitted", "permission"].iter().any(|word| reason.contains(word))
}

/// The names of the network interfaces, without libpcap's devices that are none.
fn interfaces() -> Option<Vec<String>> {
    let devices = Device::list().ok()?;
    let is_network = |name: &String| !NOT_NETWORK.iter().any(|prefix| name.starts_with(prefix));
    Some(devices.into_iter().map(|device| device.name).filter(is_network).collect())
}

const NOT_NETWORK: [&str; 5] = ["bluetooth", "dbus-", "nflog", "nfqueue", "usbmon"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_counters_go_on_when_libpcaps_wrap() {
        let mut loss = Loss::default();
        loss.update(u32::MAX - 1, 7);
        loss.update(3, 7);
        assert_eq!(loss.drops, Drops { kernel: u64::from(u32::MAX) + 4, interface: 7 });
    }

    #[test]
    fn no_two_members_give_the_same_number() {
        let mut members = [0, 1, 2].map(|next| Numbering { next, members: 3 });
        let numbers = [0, 0, 2, 1, 0].map(|member: usize| members[member].take());
        assert_eq!(numbers, [0, 3, 2, 1, 6]);
    }

    #[test]
    fn an_unknown_interface_is_answered_with_those_that_there_are() {
        let settings = LiveSettings { interface: "nosuch0".to_owned(), ..LiveSettings::default() };
        let message = Live::open(&settings, 1).err().map(|error| error.to_string()).unwrap();
        let known = message.strip_prefix("interface nosuch0: no such interface; the interfaces here are: ").unwrap();
        assert!(known.split(", ").any(|name| name == "lo"), "{known}");
        assert!(!known.contains("bluetooth"), "{known}");
    }

    #[test]
    fn a_bad_filter_is_refused_before_the_interface_is_opened() {
        let filter = Some("tcp port port 1".to_owned());
        let settings = LiveSettings { interface: "lo".to_owned(), filter, ..LiveSettings::default() };
        assert!(matches!(Live::open(&settings, 1), Err(CaptureError::Filter { .. })));
    }
}
