//! Whether a device contradicts itself: a name of one system, a network stack of another, hardware of a third.
//!
//! # What it sees
//!
//! What a device on the segment says when it asks for its address (name, vendor class, the order of its options), the maker
//! of its MAC, and the SYNs that it sends. Each pair that does not fit is a contradiction; from the second one on it is a
//! finding, and again with each further one. SYNs of Linux contradict nothing where SYNs of Windows come from no farther
//! away: then it is Windows, and Linux runs in it or behind it.
//!
//! # Why it matters
//!
//! An IP-KVM or a small router that hides behind a laptop's name, or stands in for it, is a small Linux machine.
//!
//! # Normal causes
//!
//! A virtual machine with its host's name and an address of its own, a laptop that was set up anew with Linux under its old
//! name, two systems on one machine. A made-up MAC (RFC 7844) tells no maker and is not asked for one.
//!
//! # Blind spots
//!
//! Works on the devices' own segment only. A device that copies name, vendor class and options of Windows, and has its
//! TTL and TCP options changed, is not told from it; nor are the SYNs of one that forwards a laptop's and leaves their TTL.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::detect::{Detector, Family};
use crate::event::Event;
use crate::facts::{FactKind, Fields, Lease, Sender};
use crate::identity::device::{Device, DeviceId};
use crate::identity::entity::Entity;
use crate::net::{Mac, Text};
use crate::protocol::FieldSpec;
use crate::time::Timestamp;

pub const NAME: &str = "disguised_device";

pub const FIELDS: &[FieldSpec] = &[
    FieldSpec {
        name: "spanwatch.disguise.contradictions",
        help: "What does not fit: `class_and_tcp`, `name_and_class`, `name_and_maker`, `name_and_options`, `name_and_tcp`.",
    },
    FieldSpec { name: "spanwatch.disguise.contradictions_count", help: "How many those are." },
    FieldSpec { name: "spanwatch.disguise.name", help: "The name that the device gave." },
    FieldSpec { name: "spanwatch.disguise.vendor_class", help: "The vendor class that it gave (DHCP option 60)." },
];

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DisguisedDevice {
    /// From so many contradictions on it is a finding.
    pub contradictions: usize,
}

impl Default for DisguisedDevice {
    fn default() -> Self {
        Self { contradictions: 2 }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
enum Contradiction {
    ClassAndTcp,
    NameAndClass,
    NameAndMaker,
    NameAndOptions,
    NameAndTcp,
}

impl Contradiction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ClassAndTcp => "class_and_tcp",
            Self::NameAndClass => "name_and_class",
            Self::NameAndMaker => "name_and_maker",
            Self::NameAndOptions => "name_and_options",
            Self::NameAndTcp => "name_and_tcp",
        }
    }
}

impl Contradiction {
    const fn is_of_tcp(self) -> bool {
        matches!(self, Self::ClassAndTcp | Self::NameAndTcp)
    }
}

pub struct Sighting {
    contradictions: Vec<Contradiction>,
    syn: Option<Syn>,
    name: Option<Text>,
    vendor_class: Option<Text>,
}

/// Whose SYN it is, and over how many routers it came.
#[derive(Clone, Copy)]
enum Syn {
    Linux(u8),
    Windows(u8),
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    contradictions: BTreeSet<Contradiction>,
    /// Over how few routers SYNs of either came.
    #[serde(default)]
    linux_hops: Option<u8>,
    #[serde(default)]
    windows_hops: Option<u8>,
}

impl Window {
    /// The contradictions that hold: who has Linux in it or behind it is not Linux.
    fn holding(&self) -> Vec<Contradiction> {
        let is_windows = self.windows_hops.is_some_and(|hops| self.linux_hops.is_none_or(|linux| hops <= linux));
        self.contradictions.iter().copied().filter(|of| !(is_windows && of.is_of_tcp())).collect()
    }
}

impl DisguisedDevice {
    /// Makers of IP-KVMs, travel routers and the single-board computers that they are built of (IEEE registry).
    const MAKERS: &'static [[u8; 3]] = &[
        [0x28, 0xcd, 0xc1],
        [0x2c, 0xcf, 0x67],
        [0x30, 0x52, 0x53],
        [0x88, 0xa2, 0x9e],
        [0x94, 0x83, 0xc4],
        [0xb8, 0x27, 0xeb],
        [0xd8, 0x3a, 0xdd],
        [0xdc, 0xa6, 0x32],
        [0xe4, 0x5f, 0x01],
    ];

    /// A server's answer says the client's name after it, and nothing else of it.
    fn of_lease(lease: &Lease, is_v4: bool) -> Option<Sighting> {
        let (name, options) = (lease.host_name.as_ref()?, lease.fingerprint.as_deref()?);
        let mut contradictions = Vec::new();
        if is_windows_name(name.as_str()) {
            if !lease.vendor_class.as_ref().is_some_and(is_windows_class) {
                contradictions.push(Contradiction::NameAndClass);
            }
            if is_v4 && !asks_like_windows(options) {
                contradictions.push(Contradiction::NameAndOptions);
            }
            if lease.mac.is_some_and(is_small_machine) {
                contradictions.push(Contradiction::NameAndMaker);
            }
        }
        let (name, vendor_class) = (lease.host_name.clone(), lease.vendor_class.clone());
        Some(Sighting { contradictions, syn: None, name, vendor_class })
    }

    /// Of a device that says it is Windows, and opens connections as one or the other does.
    fn of_syn(device: &Device, syn: Syn) -> Option<Sighting> {
        let mut contradictions = Vec::new();
        if device.host_name.as_ref().is_some_and(|name| is_windows_name(name.as_str())) {
            contradictions.push(Contradiction::NameAndTcp);
        }
        if device.vendor_class.as_ref().is_some_and(is_windows_class) {
            contradictions.push(Contradiction::ClassAndTcp);
        }
        let (name, vendor_class) = (device.host_name.clone(), device.vendor_class.clone());
        if contradictions.is_empty() {
            return None;
        }
        if let Syn::Windows(_) = syn {
            contradictions.clear();
        }
        Some(Sighting { contradictions, syn: Some(syn), name, vendor_class })
    }
}

/// The names that Windows makes up for itself: `DESKTOP-`, `LAPTOP-` or `WIN-`, and as many letters and digits as a NetBIOS
/// name has room for.
fn is_windows_name(name: &str) -> bool {
    const NETBIOS_CHARS: usize = 15;
    let rest = ["DESKTOP-", "LAPTOP-", "WIN-"].iter().find_map(|prefix| name.strip_prefix(prefix));
    let is_made_up = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    name.len() == NETBIOS_CHARS && rest.is_some_and(is_made_up)
}

fn is_windows_class(class: &Text) -> bool {
    class.as_str().starts_with("MSFT ")
}

/// Windows asks for classless routes under its own number and for the WINS server (RFC 2132 §8.5, MS-DHCPE 2.2.2).
fn asks_like_windows(fingerprint: &str) -> bool {
    let Some((_, asked)) = fingerprint.split_once('/') else {
        return false;
    };
    ["44", "249"].iter().all(|option| asked.split(',').any(|number| number == *option))
}

fn is_small_machine(mac: Mac) -> bool {
    !mac.is_local() && DisguisedDevice::MAKERS.iter().any(|maker| mac.0.starts_with(maker))
}

impl Detector for DisguisedDevice {
    const NAME: &'static str = NAME;
    const FAMILY: Family = Family::Identity;
    const HEARS: &'static [&'static str] = &["activity", "flow", "lease"];
    type Subject = DeviceId;
    type Sighting = Sighting;
    type Window = Window;

    fn sight(&self, event: &Event<'_>) -> Option<(DeviceId, Sighting)> {
        match &event.fact()?.kind {
            FactKind::Lease(lease) => {
                let device = DeviceId::of_mac(lease.mac.filter(|mac| mac.is_a_machine())?);
                let is_v4 = event.protocol().is_some_and(|protocol| protocol.as_str() == "dhcp");
                Some((device, Self::of_lease(lease, is_v4)?))
            }
            FactKind::Activity(summary) | FactKind::FlowEnded(summary) => {
                let syn = match summary.client.syn_signature.as_ref()? {
                    signature if signature.is_of_linux() => Syn::Linux(signature.hops()),
                    signature if signature.is_of_windows() => Syn::Windows(signature.hops()),
                    _ => return None,
                };
                let id = event.device(Sender::Client)?;
                let device = event.world().identity.device(id).filter(|device| device.host_name.is_some())?;
                Some((id, Self::of_syn(device, syn)?))
            }
            _ => None,
        }
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, _at: Timestamp) -> Option<Fields> {
        let before = window.holding().len();
        window.contradictions.extend(sighting.contradictions);
        let fewest = |known: &mut Option<u8>, hops: u8| *known = Some(known.map_or(hops, |known| known.min(hops)));
        match sighting.syn {
            Some(Syn::Linux(hops)) => fewest(&mut window.linux_hops, hops),
            Some(Syn::Windows(hops)) => fewest(&mut window.windows_hops, hops),
            None => {}
        }
        let holding = window.holding();
        let count = holding.len();
        if count <= before || count < self.contradictions {
            return None;
        }
        let mut evidence = Fields::default();
        let words: Vec<&'static str> = holding.into_iter().map(Contradiction::as_str).collect();
        evidence.push("spanwatch.disguise.contradictions", words);
        evidence.push("spanwatch.disguise.contradictions_count", count as u64);
        evidence.push_some("spanwatch.disguise.name", sighting.name);
        evidence.push_some("spanwatch.disguise.vendor_class", sighting.vendor_class);
        Some(evidence)
    }

    fn entity(device: &DeviceId) -> Entity {
        Entity::Device(*device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::device::Key;

    const WINDOWS_OPTIONS: &str = "53,61,12,60,55/1,3,6,15,31,33,43,44,46,47,119,121,249,252";
    const DELL: Mac = Mac([0x00, 0x14, 0x22, 1, 2, 3]);
    const RASPBERRY: Mac = Mac([0xb8, 0x27, 0xeb, 1, 2, 3]);

    fn lease(mac: Mac, name: &str, class: Option<&str>, options: &str) -> Vec<Contradiction> {
        let lease = Lease {
            mac: Some(mac),
            host_name: Some(name.into()),
            vendor_class: class.map(Text::from),
            fingerprint: Some(options.into()),
            ..Lease::default()
        };
        DisguisedDevice::of_lease(&lease, true).map(|sighting| sighting.contradictions).unwrap_or_default()
    }

    fn linux(name: &str, class: &str) -> Vec<Contradiction> {
        let mut device = Device::new(Key::Mac(DELL), Timestamp::ZERO);
        (device.host_name, device.vendor_class) = (Some(name.into()), Some(class.into()));
        DisguisedDevice::of_syn(&device, Syn::Linux(0)).map(|sighting| sighting.contradictions).unwrap_or_default()
    }

    #[test]
    fn windows_is_what_it_says() {
        assert_eq!(lease(DELL, "DESKTOP-4F7K2QA", Some("MSFT 5.0"), WINDOWS_OPTIONS), []);
    }

    #[test]
    fn linux_under_its_own_name_contradicts_nothing() {
        assert_eq!(lease(RASPBERRY, "raspberrypi", Some("dhcpcd-9"), "53,61/1,3,6"), []);
        assert_eq!(lease(DELL, "DESKTOP-ann", Some("udhcp 1.36"), "53/1,3"), [], "a name that a person gave");
        assert_eq!(linux("build-7", "udhcp 1.36"), []);
    }

    #[test]
    fn a_small_linux_machine_under_a_laptops_name_contradicts_it_in_each_way() {
        assert_eq!(
            lease(RASPBERRY, "DESKTOP-4F7K2QA", Some("udhcp 1.36"), "53,61,12,60,55/1,3,6,12,15,28,42"),
            [Contradiction::NameAndClass, Contradiction::NameAndOptions, Contradiction::NameAndMaker]
        );
        assert_eq!(linux("DESKTOP-4F7K2QA", "MSFT 5.0"), [Contradiction::NameAndTcp, Contradiction::ClassAndTcp]);
    }

    #[test]
    fn names_that_windows_makes_up_have_fifteen_characters() {
        for made_up in ["DESKTOP-4F7K2QA", "LAPTOP-9C1D2E3F", "WIN-0A1B2C3D4E5"] {
            assert!(is_windows_name(made_up), "{made_up}");
        }
        for given in ["LAPTOP-JSMITH1", "LAPTOP-JSMITH123", "DESKTOP-ACCT01", "WIN-FILESERVER", "WINDOWS-4F7K2QA"] {
            assert!(!is_windows_name(given), "{given}");
        }
    }

    #[test]
    fn only_the_devices_own_words_count_and_options_of_dhcpv4() {
        let name = Some(Text::from("DESKTOP-4F7K2QA"));
        let echoed = Lease { mac: Some(DELL), host_name: name.clone(), ..Lease::default() };
        assert!(DisguisedDevice::of_lease(&echoed, true).is_none());
        let vendor_class = Some(Text::from("MSFT 5.0"));
        let asked = Lease { vendor_class, fingerprint: Some("1,8,3,39,16,6/17,23,24".into()), ..echoed };
        let of = |is_v4| DisguisedDevice::of_lease(&asked, is_v4).map(|sighting| sighting.contradictions);
        assert_eq!(of(false), Some(vec![]));
        assert_eq!(of(true), Some(vec![Contradiction::NameAndOptions]));
    }

    /// Whether a device with the name and the class of Windows is found by its SYNs.
    fn is_found_by_syns(syns: &[Syn]) -> bool {
        let (detector, mut window) = (DisguisedDevice::default(), Window::default());
        let mut device = Device::new(Key::Mac(DELL), Timestamp::ZERO);
        (device.host_name, device.vendor_class) = (Some("DESKTOP-4F7K2QA".into()), Some("MSFT 5.0".into()));
        let mut sightings = syns.iter().filter_map(|&syn| DisguisedDevice::of_syn(&device, syn));
        sightings.any(|sighting| detector.judge(&mut window, sighting, Timestamp::ZERO).is_some())
    }

    #[test]
    fn linux_in_or_behind_windows_is_no_disguise_and_windows_behind_linux_is() {
        assert!(is_found_by_syns(&[Syn::Linux(0)]));
        assert!(!is_found_by_syns(&[Syn::Windows(0), Syn::Linux(0)]), "a virtual machine on the same link");
        assert!(!is_found_by_syns(&[Syn::Windows(1), Syn::Linux(2)]), "one behind the laptop's NAT");
        assert!(is_found_by_syns(&[Syn::Windows(1), Syn::Linux(0)]), "a router before a laptop");
        assert!(!is_found_by_syns(&[Syn::Windows(0); 9]));
    }

    #[test]
    fn a_made_up_mac_tells_no_maker() {
        let made_up = Mac([0xba, 0x27, 0xeb, 1, 2, 3]);
        assert_eq!(lease(made_up, "DESKTOP-4F7K2QA", Some("MSFT 5.0"), WINDOWS_OPTIONS), []);
    }

    #[test]
    fn the_second_contradiction_is_a_finding_and_each_further_one() {
        let (detector, mut window) = (DisguisedDevice::default(), Window::default());
        let mut is_found = |contradictions: &[Contradiction]| {
            let sighting =
                Sighting { contradictions: contradictions.into(), syn: None, name: None, vendor_class: None };
            detector.judge(&mut window, sighting, Timestamp::ZERO).is_some()
        };
        assert!(!is_found(&[Contradiction::NameAndClass]));
        assert!(!is_found(&[Contradiction::NameAndClass]));
        assert!(is_found(&[Contradiction::NameAndTcp]));
        assert!(!is_found(&[Contradiction::NameAndTcp]));
        assert!(is_found(&[Contradiction::NameAndMaker]));
    }
}
