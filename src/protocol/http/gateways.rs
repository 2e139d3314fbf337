//! Requests in, what they open a way for out: remote desktops and VPNs that travel in HTTP where no TLS hides it (behind
//! a proxy that ends TLS, or set up without).

use crate::facts::words::Word;
use crate::facts::{Confidence, RemoteDesktop, Statement, Tunnel, TunnelBasis};
use crate::net::Text;
use crate::protocol::http::wire::Head;
use crate::protocol::{Protocol, tailscale};

/// A request that nothing else sends.
struct Gateway {
    protocol: Protocol,
    kind: Kind,
    methods: &'static [&'static str],
    /// What the target begins with, in lower case.
    target: &'static str,
    /// What stands in the target behind that, in lower case.
    within: &'static str,
}

enum Kind {
    Desktop,
    Tunnel,
}

/// The paths of TLS VPNs are those that OpenConnect's documentation gives.
const GATEWAYS: &[Gateway] = &[
    // MS-TSGU §1.3: HTTP with two channels of its own methods, or a WebSocket.
    desktop(&"rd-gateway", &["RDG_IN_DATA", "RDG_OUT_DATA"], "/remotedesktopgateway", ""),
    desktop(&"rd-gateway", &["GET"], "/remotedesktopgateway", ""),
    // MS-TSGU over MS-RPCH; the port of the gateway's end point, since mail travels by the same proxy.
    desktop(&"rd-gateway", &["RPC_IN_DATA", "RPC_OUT_DATA"], "/rpc/rpcproxy.dll?", ":3388"),
    desktop(&"meshcentral", &["GET"], "/agent.ashx", ""),
    desktop(&"meshcentral", &["GET"], "/meshrelay.ashx", ""),
    tunnel(&"anyconnect", &["CONNECT"], "/cscosslc/tunnel"),
    tunnel(&"fortinet-sslvpn", &["GET"], "/remote/sslvpn-tunnel"),
    tunnel(&"globalprotect", &["GET"], "/ssl-tunnel-connect.sslvpn"),
    tunnel(&"softether", &["POST"], "/vpnsvc/connect.cgi"),
    // MS-SSTP §3.2.4.1.
    tunnel(&"sstp", &["SSTP_DUPLEX_POST"], "/sra_{ba195980-cd49-458b-9e23-c84ee0adcd75}/"),
];

/// Tunnels that a request asks for in its `Upgrade`, whatever its path.
const UPGRADES: &[(&str, Protocol)] = &[
    // RFC 9298 §3.2, RFC 9484 §4.2.
    ("connect-udp", MASQUE),
    ("connect-ip", MASQUE),
    // Of Ivanti Connect Secure, as OpenConnect's documentation has it.
    ("IF-T/TLS 1.0", Protocol::new(&"pulse")),
    // Where no TLS is around them: the control connection, which clients begin so, and a relay of one's own.
    ("tailscale-control-protocol", TAILSCALE),
    ("DERP", TAILSCALE),
];

const MASQUE: Protocol = Protocol::new(&"masque");
const TAILSCALE: Protocol = tailscale::SPEC.protocol;

const fn desktop(
    protocol: &'static Word,
    methods: &'static [&'static str],
    target: &'static str,
    within: &'static str,
) -> Gateway {
    Gateway { protocol: Protocol::new(protocol), kind: Kind::Desktop, methods, target, within }
}

const fn tunnel(protocol: &'static Word, methods: &'static [&'static str], target: &'static str) -> Gateway {
    Gateway { protocol: Protocol::new(protocol), kind: Kind::Tunnel, methods, target, within: "" }
}

/// What gateways carry and nothing else tells.
pub fn protocols() -> impl Iterator<Item = Protocol> {
    let paths = GATEWAYS.iter().map(|gateway| gateway.protocol);
    let all = paths.chain(UPGRADES.iter().map(|(_, protocol)| *protocol));
    all.filter(|protocol| *protocol != TAILSCALE)
}

/// What a request opens, if it is one of a gateway's; what a server says to it is not known yet.
pub(super) fn opened(head: &Head<'_>, method: &str, target: &[u8]) -> Option<Statement> {
    let is_wanted = |upgrade: &[u8]| UPGRADES.iter().find(|(name, _)| upgrade.eq_ignore_ascii_case(name.as_bytes()));
    if let Some((_, protocol)) = head.upgrade.and_then(is_wanted) {
        let tunnel =
            Tunnel { protocol: Some(*protocol), ..Tunnel::new(TunnelBasis::Request, Confidence::Certain, false) };
        return Some(Statement::Tunnel(Box::new(tunnel)));
    }
    // The paths of web pages are not looked at further than that.
    let of_method = |gateway: &&Gateway| gateway.methods.contains(&method);
    let gateway = GATEWAYS.iter().filter(of_method).find(|gateway| gateway.is(target))?;
    let protocol = Some(gateway.protocol);
    let host = head.client_host.map(Text::from_utf8).filter(|host| !host.is_empty());
    Some(match gateway.kind {
        Kind::Desktop => Statement::RemoteDesktop(Box::new(RemoteDesktop { protocol, ..RemoteDesktop::default() })),
        Kind::Tunnel => {
            let mut tunnel = Tunnel { protocol, ..Tunnel::new(TunnelBasis::Request, Confidence::Certain, false) };
            tunnel.fields.push_some("host.hostname", host);
            Statement::Tunnel(Box::new(tunnel))
        }
    })
}

impl Gateway {
    fn is(&self, target: &[u8]) -> bool {
        let Some((start, rest)) = target.split_at_checked(self.target.len()) else { return false };
        let is_within =
            || rest.windows(self.within.len()).any(|part| part.eq_ignore_ascii_case(self.within.as_bytes()));
        start.eq_ignore_ascii_case(self.target.as_bytes()) && (self.within.is_empty() || is_within())
    }
}
