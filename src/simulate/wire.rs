//! Packets in, frames with real bytes and capture files of them out.
//!
//! [`frame`] writes what [`crate::decode`] reads: the header of a packet and its payload as an Ethernet frame, with
//! every length and checksum right. [`Pcap`] is a file of frames.

use std::io::{self, Write};
use std::net::IpAddr;

use crate::decode::{Head, IpHeader, TcpHeader};
use crate::net::{Mac, Transport};
use crate::time::Timestamp;

/// An Ethernet frame of a TCP or UDP packet. What has no MAC gets one of zeros.
pub fn frame(head: &Head, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(14 + 40 + 60 + payload.len());
    for mac in [head.target_mac, head.source_mac] {
        bytes.extend(mac.unwrap_or(Mac([0; 6])).0);
    }
    let transport = transport(head, payload);
    match (head.source.ip, head.target.ip) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            bytes.extend(0x0800_u16.to_be_bytes());
            ipv4(&mut bytes, &head.ip, head.transport.number(), transport.len(), [source.octets(), target.octets()]);
        }
        (source, target) => {
            bytes.extend(0x86dd_u16.to_be_bytes());
            let addresses = [source, target].map(|ip| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            });
            ipv6(&mut bytes, &head.ip, head.transport.number(), transport.len(), addresses);
        }
    }
    bytes.extend(transport);
    bytes
}

fn ipv4(bytes: &mut Vec<u8>, ip: &IpHeader, protocol: u8, len: usize, addresses: [[u8; 4]; 2]) {
    let start = bytes.len();
    bytes.extend([0x45, ip.ecn & 3]);
    bytes.extend((20 + len as u16).to_be_bytes());
    bytes.extend(ip.id.unwrap_or(0).to_be_bytes());
    bytes.extend(if ip.dont_fragment { [0x40, 0] } else { [0, 0] });
    bytes.extend([ip.ttl, protocol, 0, 0]);
    bytes.extend(addresses.concat());
    let sum = checksum(&[&bytes[start..]]);
    bytes[start + 10..start + 12].copy_from_slice(&sum.to_be_bytes());
}

fn ipv6(bytes: &mut Vec<u8>, ip: &IpHeader, protocol: u8, len: usize, addresses: [[u8; 16]; 2]) {
    bytes.extend((6 << 28 | ip.flow_label & 0xf_ffff).to_be_bytes());
    bytes.extend((len as u16).to_be_bytes());
    bytes.extend([protocol, ip.ttl]);
    bytes.extend(addresses.concat());
}

/// The TCP segment or UDP datagram.
fn transport(head: &Head, payload: &[u8]) -> Vec<u8> {
    let ports = [head.source.port, head.target.port].map(u16::to_be_bytes).concat();
    let mut bytes = ports;
    let checksum_at = match &head.tcp {
        Some(tcp) => {
            tcp_header(&mut bytes, tcp);
            16
        }
        None => {
            bytes.extend((8 + payload.len() as u16).to_be_bytes());
            bytes.extend([0, 0]);
            6
        }
    };
    bytes.extend(payload);
    let sum = checksum(&[&pseudo_header(head, bytes.len()), &bytes]);
    // A UDP checksum of nothing but zeros would say that there is none (RFC 768).
    let sum = if sum == 0 && head.transport == Transport::Udp { 0xffff } else { sum };
    bytes[checksum_at..checksum_at + 2].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn tcp_header(bytes: &mut Vec<u8>, tcp: &TcpHeader) {
    let options = &tcp.options[..usize::from(tcp.options_len)];
    bytes.extend(tcp.sequence.to_be_bytes());
    bytes.extend(tcp.acknowledgment.to_be_bytes());
    bytes.extend([((20 + tcp.options_len) / 4) << 4, tcp.flags]);
    bytes.extend(tcp.window.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(tcp.urgent.to_be_bytes());
    bytes.extend(options);
}

fn pseudo_header(head: &Head, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40);
    for ip in [head.source.ip, head.target.ip] {
        match ip {
            IpAddr::V4(ip) => bytes.extend(ip.octets()),
            IpAddr::V6(ip) => bytes.extend(ip.octets()),
        }
    }
    bytes.extend([0, head.transport.number()]);
    bytes.extend((len as u16).to_be_bytes());
    bytes
}

/// The Internet checksum (RFC 1071) over parts that follow each other, each but the last of an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 = words.map(|word| u32::from(word[0]) << 8 | word.get(1).copied().map_or(0, u32::from)).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Writes a capture file: the classic form, with nanoseconds, of Ethernet frames.
pub struct Pcap<W: Write>(W);

impl<W: Write> Pcap<W> {
    const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
    const SNAP_BYTES: u32 = 1 << 18;
    const ETHERNET: u32 = 1;

    pub fn new(mut output: W) -> io::Result<Self> {
        output.write_all(&Self::MAGIC_NANOSECONDS.to_le_bytes())?;
        output.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        output.write_all(&Self::SNAP_BYTES.to_le_bytes())?;
        output.write_all(&Self::ETHERNET.to_le_bytes())?;
        Ok(Self(output))
    }

    pub fn write(&mut self, at: Timestamp, frame: &[u8]) -> io::Result<()> {
        let nanos = at.as_nanos() % 1_000_000_000;
        let len = frame.len() as u32;
        for number in [at.as_secs() as u32, nanos as u32, len, len] {
            self.0.write_all(&number.to_le_bytes())?;
        }
        self.0.write_all(frame)
    }

    /// Hands everything on.
    pub fn finish(mut self) -> io::Result<W> {
        self.0.flush()?;
        Ok(self.0)
    }
}
