//! The bytes that the programs of a company say: what a parser reads of them is what the specification has it.

pub mod dhcp;
pub mod dns;
pub mod radius;
pub mod teamviewer;
pub mod tls;
pub mod wireguard;
