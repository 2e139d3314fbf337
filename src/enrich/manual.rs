//! Products and protocols in, the page that says how each is recognised out (`docs/products.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::enrich::products::{Basis, Kind, Product, Products};
use crate::net::Transport;
use crate::protocol::{self, ProtocolSpec};

/// The most names of a product that the page shows; the data file has them all.
const NAMES_MAX: usize = 4;

/// The page of the products.
pub fn markdown(products: &Products) -> String {
    let mut page = String::from(INTRODUCTION);
    for &kind in Kind::ALL {
        let _ = write!(page, "\n## {}\n\nKind `{}`.\n\n{HEAD}", kind.as_title(), kind.as_str());
        for product in products.iter().filter(|product| product.kind == kind) {
            row(&mut page, product);
        }
    }
    protocols(&mut page, products);
    page
}

const INTRODUCTION: &str = "\
# Products

What tells each product, how sure that is, what it is tested with and where its signatures are published. The signatures \
are data, in [rules/data/products.yml](../rules/data/products.yml): to add a product takes no build. This page is the \
output of `spanwatch products list`.

**certain**: its own protocol, ALPN or certificate, or what its programs call themselves in HTTP. **likely**: a server's \
name (in TLS or HTTP), what a machine calls itself, or TLS on a port that is registered for the product; somebody could \
borrow it. **vendor only**: the name serves other things, too, so it never makes a kind and no rule goes by it. \
**no**: nothing that only the product shows is known; its ports are there for the reader, since ports decide nothing.

**recording**: the real program was recorded, see the folder of `pcaps/`. **published bytes**: the program is not to be \
had for the laboratory, and tests are built from bytes that its project or others publish. **names**: there is nothing \
to record but the name.
";

const HEAD: &str = "| product | id | recognised by | how sure | tested with | source |\n|---|---|---|---|---|---|\n";

fn row(page: &mut String, product: &Product) {
    let recognised = signs(product);
    let _ = writeln!(
        page,
        "| {} | `{}` | {} | {} | {} | {} |",
        product.name,
        product.id,
        recognised.join("; "),
        certainty(product),
        test(product),
        product.source
    );
}

fn signs(product: &Product) -> Vec<String> {
    let mut signs = Vec::new();
    let mut sign = |what: &str, values: &[String]| {
        let shown: Vec<String> = values.iter().take(NAMES_MAX).map(|value| format!("`{value}`")).collect();
        let rest = values.len().saturating_sub(NAMES_MAX);
        match (shown.is_empty(), rest) {
            (true, _) => {}
            (_, 0) => signs.push(format!("{what} {}", shown.join(", "))),
            (_, rest) => signs.push(format!("{what} {} and {rest} more", shown.join(", "))),
        }
    };
    sign("protocol", &product.protocols);
    sign("ALPN", &product.alpn);
    sign("certificate", &product.certificates);
    sign("user agent", &product.user_agents);
    sign("HTTP server", &product.http_servers);
    sign("service", &product.services);
    sign("host name", &product.host_names);
    sign("OUI", &product.ouis);
    sign("name", &product.names);
    sign("vendor\u{2019}s name", &product.broad_names);
    sign("TLS on port", &product.tls_ports.iter().map(u16::to_string).collect::<Vec<_>>());
    sign("found on port", &product.ports);
    if product.made_up_certificates {
        signs.push("certificates of made-up names".into());
    }
    if !product.installation_certificates.is_empty() {
        signs.push("its certificate names the installation".into());
    }
    signs
}

fn certainty(product: &Product) -> &'static str {
    let shows = |values: &[String], basis: Basis| (!values.is_empty()).then(|| basis.as_certainty());
    shows(&product.protocols, Basis::Protocol)
        .or_else(|| shows(&product.alpn, Basis::Alpn))
        .or_else(|| shows(&product.certificates, Basis::Certificate))
        .or_else(|| shows(&product.user_agents, Basis::UserAgent))
        .or_else(|| shows(&product.http_servers, Basis::HttpServer))
        .or_else(|| product.made_up_certificates.then(|| Basis::Certificate.as_certainty()))
        .or_else(|| shows(&product.names, Basis::ServerName))
        .or_else(|| shows(&product.services, Basis::Service))
        .or_else(|| shows(&product.host_names, Basis::HostName))
        .or_else(|| shows(&product.ouis, Basis::Oui))
        .or_else(|| (!product.tls_ports.is_empty()).then(|| Basis::TlsPort.as_certainty()))
        .or_else(|| shows(&product.broad_names, Basis::VendorName))
        .unwrap_or("no")
}

fn test(product: &Product) -> String {
    let Product { protocols, alpn, certificates, services, user_agents, http_servers, .. } = product;
    let speaks = [protocols, alpn, certificates, services, user_agents, http_servers];
    match &product.recorded {
        Some(folder) => format!("recording [{folder}](../pcaps/{folder})"),
        None if speaks.iter().any(|signs| !signs.is_empty()) => "published bytes".into(),
        None if certainty(product) == "no" || !product.tls_ports.is_empty() => "\u{2013}".into(),
        None => "names".into(),
    }
}

/// Every protocol, and the products that nothing else speaks it for.
fn protocols(page: &mut String, products: &Products) {
    page.push_str(
        "\n## Protocols\n\nValues of `network.protocol`. Those of no product are spoken by many programs. What a \
         protocol tells stands in [events.md](events.md).\n\n| protocol | over | product |\n|---|---|---|\n",
    );
    let of_specs = protocol::ALL.iter().map(|spec| (spec.protocol.as_str(), transports(spec)));
    let of_carried = protocol::carried().map(|carried| (carried.as_str(), "another protocol".to_owned()));
    let mut names: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, over) in of_specs.chain(of_carried) {
        names.entry(name).or_default().insert(over);
    }
    for (name, over) in names {
        let over = over.into_iter().collect::<Vec<_>>().join("; ");
        let of = |product: &&Product| product.protocols.iter().any(|protocol| protocol == name);
        let speakers: Vec<&str> = products.iter().filter(of).map(|product| product.name.as_str()).collect();
        let _ = writeln!(page, "| `{name}` | {over} | {} |", speakers.join(", "));
    }
}

fn transports(spec: &ProtocolSpec) -> String {
    let name = |transport: &Transport| transport.as_str().to_owned();
    spec.transports.iter().map(name).collect::<Vec<_>>().join(", ")
}
