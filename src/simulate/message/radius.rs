//! RADIUS accounting (RFC 2866): who has begun or ended a session, from where and with which address inside.

use std::net::{IpAddr, Ipv4Addr};

/// Whether a session begins or ends (RFC 2866 §5.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    Start = 1,
    Stop = 2,
}

/// What an access server tells of a session.
pub struct Session<'a> {
    pub user: &'a str,
    /// The address inside; none for a portal, which gives none.
    pub framed: Option<Ipv4Addr>,
    pub station: IpAddr,
    pub server: Ipv4Addr,
    pub server_name: &'a str,
    /// Tells the sessions of the access server apart.
    pub number: u64,
}

pub fn request(identifier: u8, status: Status, session: &Session<'_>, authenticator: &[u8]) -> Vec<u8> {
    let mut attributes = Vec::with_capacity(128);
    let mut put = |kind: u8, value: &[u8]| {
        attributes.extend([kind, value.len() as u8 + 2]);
        attributes.extend(value);
    };
    put(1, session.user.as_bytes());
    put(4, &session.server.octets());
    if let Some(framed) = session.framed {
        put(8, &framed.octets());
    }
    put(31, session.station.to_string().as_bytes());
    put(32, session.server_name.as_bytes());
    put(40, &(status as u32).to_be_bytes());
    put(44, format!("{:016x}", session.number).as_bytes());
    // Virtual (RFC 2865 §5.41).
    put(61, &5_u32.to_be_bytes());
    // The far end of the tunnel, with the tag of the first (RFC 2868 §3.3).
    let mut endpoint = vec![1];
    endpoint.extend(session.station.to_string().as_bytes());
    put(66, &endpoint);
    packet(4, identifier, authenticator, &attributes)
}

pub fn response(identifier: u8, authenticator: &[u8]) -> Vec<u8> {
    packet(5, identifier, authenticator, &[])
}

fn packet(code: u8, identifier: u8, authenticator: &[u8], attributes: &[u8]) -> Vec<u8> {
    let mut bytes = vec![code, identifier];
    bytes.extend((20 + attributes.len() as u16).to_be_bytes());
    bytes.extend(&authenticator[..16]);
    bytes.extend(attributes);
    bytes
}
