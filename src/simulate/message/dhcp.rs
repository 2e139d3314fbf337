//! DHCP (RFC 2131): a machine asks for the address it had, and is given it.

use std::net::Ipv4Addr;

use crate::net::Mac;

const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];

/// A request to go on with a lease (RFC 2131 §4.3.2, RENEWING), as a Windows or an Apple machine puts it.
pub fn request(transaction: u32, mac: Mac, address: Ipv4Addr, host_name: &str, vendor_class: Option<&str>) -> Vec<u8> {
    let mut options = vec![53, 1, 3, 61, 7, 1];
    options.extend(mac.0);
    options.extend([12, host_name.len() as u8]);
    options.extend(host_name.as_bytes());
    match vendor_class {
        Some(class) => {
            options.extend([60, class.len() as u8]);
            options.extend(class.as_bytes());
            options.extend([55, 14, 1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252]);
        }
        None => options.extend([55, 12, 1, 121, 3, 6, 15, 108, 114, 119, 252, 95, 44, 46]),
    }
    message(1, transaction, mac, address, Ipv4Addr::UNSPECIFIED, &options)
}

pub fn acknowledgment(transaction: u32, mac: Mac, address: Ipv4Addr, server: Ipv4Addr) -> Vec<u8> {
    let mut options = vec![53, 1, 5, 54, 4];
    options.extend(server.octets());
    options.extend([51, 4]);
    options.extend(28_800_u32.to_be_bytes());
    message(2, transaction, mac, address, address, &options)
}

fn message(operation: u8, transaction: u32, mac: Mac, client: Ipv4Addr, yours: Ipv4Addr, options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![operation, 1, 6, 0];
    bytes.extend(transaction.to_be_bytes());
    bytes.extend([0; 4]);
    for address in [client, yours, Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED] {
        bytes.extend(address.octets());
    }
    bytes.extend(mac.0);
    bytes.extend([0; 10 + 192]);
    bytes.extend(COOKIE);
    bytes.extend(options);
    bytes.push(255);
    bytes
}
