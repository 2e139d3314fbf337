//! The two ends of a flow in, its Community ID out: the name by which Zeek, Suricata and Wireshark know the same flow
//! (Community ID flow hashing, version 1, seed 0).

use std::net::IpAddr;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use crate::net::{Endpoint, Transport};

/// `1:` and the Base64 of a SHA-1 over the flow's ends in their order of address and port; the same for both directions.
pub fn community_id(client: Endpoint, server: Endpoint, transport: Transport) -> String {
    let (low, high) =
        if (client.ip, client.port) <= (server.ip, server.port) { (client, server) } else { (server, client) };
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(&SEED.to_be_bytes());
    for end in [low, high] {
        match end.ip {
            IpAddr::V4(ip) => hash.update(&ip.octets()),
            IpAddr::V6(ip) => hash.update(&ip.octets()),
        }
    }
    hash.update(&[transport.number(), 0]);
    if matches!(transport, Transport::Tcp | Transport::Udp) {
        hash.update(&low.port.to_be_bytes());
        hash.update(&high.port.to_be_bytes());
    }
    format!("1:{}", base64(hash.finish().as_ref()))
}

const SEED: u16 = 0;

/// Base64 with padding (RFC 4648 section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| ALPHABET.get(usize::try_from(bits & 0x3f).unwrap_or(0)).copied().map_or('=', char::from);
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        text.push(digit(bits >> 18));
        text.push(digit(bits >> 12));
        text.push(if group.len() > 1 { digit(bits >> 6) } else { '=' });
        text.push(if group.len() > 2 { digit(bits) } else { '=' });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The baseline values that the specification publishes.
    #[test]
    fn the_published_flows_have_their_published_ids() {
        for (client, server, transport, id) in [
            ("128.232.110.120:34855", "66.35.250.204:80", Transport::Tcp, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("66.35.250.204:80", "128.232.110.120:34855", Transport::Tcp, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("192.168.1.52:54585", "8.8.8.8:53", Transport::Udp, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        ] {
            let end = |text: &str| {
                let address: std::net::SocketAddr = text.parse().unwrap();
                Endpoint::new(address.ip(), address.port())
            };
            assert_eq!(community_id(end(client), end(server), transport), id);
        }
    }

    #[test]
    fn base64_pads_as_rfc_4648_section_10_shows() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
