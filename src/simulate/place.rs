//! Places that machines connect from, and machines: what of them is seen at the mirror.

use std::net::Ipv4Addr;

use super::message::tls::{self, Program};
use super::plan::Line;
use super::random::Random;
use super::stack::{self, Stack};
use crate::net::Mac;

/// An outside address, with the line that leads there.
#[derive(Clone, Debug)]
pub struct Place {
    pub address: Ipv4Addr,
    pub line: Line,
    /// From the mirror to it and back, in milliseconds.
    pub rtt_ms: f64,
    /// What a TCP-terminating relay in front of it adds between the layers, in milliseconds.
    pub relay_ms: f64,
    pub mss: u16,
    /// Routers between it and the mirror.
    pub hops: u8,
}

impl Place {
    pub fn new(line: Line, number: usize, random: &mut Random) -> Self {
        let (rtt_ms, mss) = match line {
            Line::Household => (random.lognormal(28.0, 0.5), if random.chance(0.12) { 1452 } else { 1460 }),
            Line::CarrierNat => (random.lognormal(45.0, 0.3), 1400),
            Line::Mobile => (random.lognormal(55.0, 0.4), 1400),
            Line::Coworking => (random.lognormal(18.0, 0.3), 1460),
            Line::Hotel => (random.lognormal(40.0, 0.4), if random.chance(0.3) { 1400 } else { 1460 }),
            Line::VpnExit => (random.lognormal(30.0, 0.4), 1460),
        };
        let hops = 7 + random.below(10) as u8;
        Self { address: line.address(number), line, rtt_ms, relay_ms: 0.0, mss, hops }
    }
}

/// What a machine runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum System {
    Android,
    Ios,
    Linux,
    MacOs,
    Windows,
}

impl System {
    pub const fn stack(self) -> &'static Stack {
        match self {
            Self::Android => &stack::ANDROID,
            Self::Ios | Self::MacOs => &stack::APPLE,
            Self::Linux => &stack::LINUX,
            Self::Windows => &stack::WINDOWS,
        }
    }

    /// What its programs use that are no browsers.
    pub const fn native(self) -> &'static Program {
        match self {
            Self::Windows => &tls::SCHANNEL,
            Self::Ios | Self::MacOs => &tls::SAFARI,
            Self::Android | Self::Linux => &tls::OPENSSL,
        }
    }

    pub const fn vendor_class(self) -> Option<&'static str> {
        if matches!(self, Self::Windows) { Some("MSFT 5.0") } else { None }
    }
}

/// A machine that is driven by hand.
#[derive(Clone, Debug)]
pub struct Machine {
    pub name: String,
    pub mac: Mac,
    pub system: System,
    pub browser: &'static Program,
    /// How much longer than others it takes to answer, in milliseconds.
    pub slowness_ms: f64,
}

impl Machine {
    /// A laptop as the company hands it out.
    pub fn laptop(number: usize, random: &mut Random) -> Self {
        let system = match random.unit() {
            share if share < 0.70 => System::Windows,
            share if share < 0.95 => System::MacOs,
            _ => System::Linux,
        };
        let browser = match random.unit() {
            _ if system == System::MacOs && random.chance(0.4) => &tls::SAFARI,
            share if share < 0.85 => &tls::CHROMIUM,
            _ => &tls::FIREFOX,
        };
        let [_, _, a, b] = (number as u32).to_be_bytes();
        let mac = match system {
            System::MacOs => Mac([0xa4, 0x83, 0xe7, 0x10, a, b]),
            _ => Mac([0xf8, 0xbc, 0x12, 0x10, a, b]),
        };
        let slowness_ms = if random.chance(0.03) { random.between(10.0, 60.0) } else { 0.0 };
        Self { name: format!("LT-{number:05}"), mac, system, browser, slowness_ms }
    }

    /// A private telephone.
    pub fn phone(number: usize, random: &mut Random) -> Self {
        let (system, browser) =
            if random.chance(0.5) { (System::Ios, &tls::SAFARI) } else { (System::Android, &tls::CHROMIUM) };
        let [_, _, a, b] = (number as u32).to_be_bytes();
        Self { name: String::new(), mac: Mac([0x02, 0x11, 0x22, 0x10, a, b]), system, browser, slowness_ms: 0.0 }
    }
}
