//! What the operator is told when a capture cannot be opened or read on.

use std::fmt;
use std::io;

use super::Fault;

/// A capture that cannot be opened or read on. The message names the file or interface, the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("{file}: damaged at {place}: {fault}; every frame before it was read, what follows it is lost")]
    Damaged { file: String, place: Place, fault: Fault },

    #[error("{file}: is a directory; name the capture files in it")]
    Directory { file: String },

    #[error("{file}: not a capture file: it is empty; give a file that tcpdump, dumpcap or Wireshark wrote")]
    Empty { file: String },

    #[error(
        "capture filter {expression:?} is not understood: {reason}; the language is that of the manual page pcap-filter(7)"
    )]
    Filter { expression: String, reason: String },

    #[error(
        "capture filter {expression:?} names {word:?}, which would have to be looked up, and spanwatch resolves no \
         names; write the address or the number"
    )]
    FilterName { expression: String, word: String },

    #[error("interface {interface}: capture failed: {reason}")]
    Interface { interface: String, reason: String },

    #[error("interface {interface}: has disappeared; bring it back, and capture can be opened again")]
    InterfaceGone { interface: String },

    #[error("{file}: no such file; check the path, or give - for standard input")]
    NoFile { file: String },

    #[error("{file}: permission denied; let the user that runs spanwatch read it")]
    NoPermission { file: String },

    #[error(
        "interface {interface}: no permission to capture; run `setcap cap_net_raw+ep` on the spanwatch binary, or \
         give its systemd unit `AmbientCapabilities=CAP_NET_RAW`, or run it as root"
    )]
    NoPrivilege { interface: String },

    #[error(
        "{file}: not a capture file: it begins with {begins}, which is neither pcap nor pcapng, plain or compressed \
         by gzip or zstd; give a file that tcpdump, dumpcap or Wireshark wrote"
    )]
    NotACapture { file: String, begins: String },

    #[error("{file}: cannot be read at {place}: {source}")]
    Read { file: String, place: Place, source: io::Error },

    #[error(
        "{file}: ends at {place} within a record; every frame before it was read, the rest was never written or was cut off"
    )]
    Truncated { file: String, place: Place },

    #[error("interface {interface}: no such interface; the interfaces here are: {known}")]
    UnknownInterface { interface: String, known: String },
}

/// Where in a file: the byte, counted from 0, at which the record begins that could not be read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Place {
    pub offset: u64,
    /// The file is compressed, and the offset counts what comes out of it.
    pub uncompressed: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.offset)?;
        if self.uncompressed { f.write_str(" of the uncompressed data") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_about_an_interface_name_it_and_a_remedy() {
        let interface = || "eth1".to_owned();
        assert_eq!(
            CaptureError::NoPrivilege { interface: interface() }.to_string(),
            "interface eth1: no permission to capture; run `setcap cap_net_raw+ep` on the spanwatch binary, or give \
             its systemd unit `AmbientCapabilities=CAP_NET_RAW`, or run it as root"
        );
        assert_eq!(
            CaptureError::UnknownInterface { interface: interface(), known: "eth0, lo".to_owned() }.to_string(),
            "interface eth1: no such interface; the interfaces here are: eth0, lo"
        );
        assert_eq!(
            CaptureError::InterfaceGone { interface: interface() }.to_string(),
            "interface eth1: has disappeared; bring it back, and capture can be opened again"
        );
        assert_eq!(
            CaptureError::Interface { interface: interface(), reason: "out of memory".to_owned() }.to_string(),
            "interface eth1: capture failed: out of memory"
        );
    }
}
