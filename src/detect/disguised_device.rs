//! Whether a device contradicts itself: a name of one system, a network stack of another, hardware of a third.
//!
//! # What it sees
//!
//! What a device on the segment says when it asks for its address (name, vendor class, the order of its options), the maker
//! of its MAC, and the SYNs that it sends. Each pair that does not fit is a contradiction; from the second one on it is a
//! finding, and again with each further one.
//!
//! # Why it matters
//!
//! An IP-KVM or a small router that hides behind a laptop's name, or stands in for it, is a small Linux machine.
//!
//! # Normal causes
//!
//! A virtual machine with its host's name, a laptop that was set up anew with Linux under its old name, two systems on one
//! machine. A made-up MAC (RFC 7844) tells no maker and is not asked for one.
//!
//! # Blind spots
//!
//! Works on the devices' own segment only. A device that copies name, vendor class and options of Windows, and has its
//! TTL and TCP options changed, is not told from it.

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

pub struct Sighting {
    contradictions: Vec<Contradiction>,
    name: Option<Text>,
    vendor_class: Option<Text>,
}

#[derive(Default, Deserialize, Serialize)]
pub struct Window {
    contradictions: BTreeSet<Contradiction>,
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

    fn of_lease(lease: &Lease) -> Option<Sighting> {
        let name = lease.host_name.as_ref()?;
        let mut contradictions = Vec::new();
        if is_windows_name(name.as_str()) {
            if !lease.vendor_class.as_ref().is_some_and(is_windows_class) {
                contradictions.push(Contradiction::NameAndClass);
            }
            if lease.fingerprint.as_deref().is_some_and(|options| !asks_like_windows(options)) {
                contradictions.push(Contradiction::NameAndOptions);
            }
            if lease.mac.is_some_and(is_small_machine) {
                contradictions.push(Contradiction::NameAndMaker);
            }
        }
        Some(Sighting { contradictions, name: lease.host_name.clone(), vendor_class: lease.vendor_class.clone() })
    }

    /// Of a device that opens connections as Linux does.
    fn of_linux(device: &Device) -> Option<Sighting> {
        let mut contradictions = Vec::new();
        if device.host_name.as_ref().is_some_and(|name| is_windows_name(name.as_str())) {
            contradictions.push(Contradiction::NameAndTcp);
        }
        if device.vendor_class.as_ref().is_some_and(is_windows_class) {
            contradictions.push(Contradiction::ClassAndTcp);
        }
        let (name, vendor_class) = (device.host_name.clone(), device.vendor_class.clone());
        (!contradictions.is_empty()).then_some(Sighting { contradictions, name, vendor_class })
    }
}

/// The names that Windows makes up for itself: `DESKTOP-` or `LAPTOP-` and seven or eight letters and digits.
fn is_windows_name(name: &str) -> bool {
    let rest =
        name.strip_prefix("DESKTOP-").or_else(|| name.strip_prefix("LAPTOP-")).or_else(|| name.strip_prefix("WIN-"));
    let is_made_up = |rest: &str| {
        (7..=11).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    rest.is_some_and(is_made_up)
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
                Some((device, Self::of_lease(lease)?))
            }
            FactKind::Activity(summary) | FactKind::FlowEnded(summary) => {
                summary.client.syn_signature.as_ref().filter(|signature| signature.is_of_linux())?;
                let id = event.device(Sender::Client)?;
                let device = event.world().identity.device(id).filter(|device| device.host_name.is_some())?;
                Some((id, Self::of_linux(device)?))
            }
            _ => None,
        }
    }

    fn judge(&self, window: &mut Window, sighting: Sighting, _at: Timestamp) -> Option<Fields> {
        let before = window.contradictions.len();
        window.contradictions.extend(sighting.contradictions);
        let count = window.contradictions.len();
        if count == before || count < self.contradictions {
            return None;
        }
        let mut evidence = Fields::default();
        let words: Vec<&'static str> =
            window.contradictions.iter().map(|contradiction| contradiction.as_str()).collect();
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
        DisguisedDevice::of_lease(&lease).map(|sighting| sighting.contradictions).unwrap_or_default()
    }

    fn linux(name: &str, class: &str) -> Vec<Contradiction> {
        let mut device = Device::new(Key::Mac(DELL), Timestamp::ZERO);
        (device.host_name, device.vendor_class) = (Some(name.into()), Some(class.into()));
        DisguisedDevice::of_linux(&device).map(|sighting| sighting.contradictions).unwrap_or_default()
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
    fn a_made_up_mac_tells_no_maker() {
        let made_up = Mac([0xba, 0x27, 0xeb, 1, 2, 3]);
        assert_eq!(lease(made_up, "DESKTOP-4F7K2QA", Some("MSFT 5.0"), WINDOWS_OPTIONS), []);
    }

    #[test]
    fn the_second_contradiction_is_a_finding_and_each_further_one() {
        let (detector, mut window) = (DisguisedDevice::default(), Window::default());
        let mut is_found = |contradictions: &[Contradiction]| {
            let sighting = Sighting { contradictions: contradictions.into(), name: None, vendor_class: None };
            detector.judge(&mut window, sighting, Timestamp::ZERO).is_some()
        };
        assert!(!is_found(&[Contradiction::NameAndClass]));
        assert!(!is_found(&[Contradiction::NameAndClass]));
        assert!(is_found(&[Contradiction::NameAndTcp]));
        assert!(!is_found(&[Contradiction::NameAndTcp]));
        assert!(is_found(&[Contradiction::NameAndMaker]));
    }
}
