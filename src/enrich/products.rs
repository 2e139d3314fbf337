//! What shows on the wire (server names, ALPN identifiers, certificates, protocols, what programs call themselves in HTTP,
//! the names and hardware addresses of machines) in, the product that uses it out.
//!
//! The signatures are data (`rules/data/products.yml`), so that a product is added without a build.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use hashbrown::HashMap;
use serde::Deserialize;

use crate::enrich::software;
use crate::facts::{Certificate, Hello, Lease, Name, Sender, Value};
use crate::net::{Mac, Text};
use crate::protocol::Protocol;
use crate::yaml::{self, Fault, Spanned};

/// One product of the data file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The value of `network.application`: lower case, no spaces.
    pub id: String,
    pub name: String,
    pub kind: Kind,
    /// Server names under which the product, and nothing else, is reached, with everything below them but the vendor's
    /// pages: the bare name where it has two labels, and what a website is called below that.
    #[serde(default)]
    pub names: Vec<String>,
    /// Server names that its vendor uses for other things, too: they name the vendor, never the use.
    #[serde(default)]
    pub broad_names: Vec<String>,
    /// ALPN identifiers, up to a slash if there is one.
    #[serde(default)]
    pub alpn: Vec<String>,
    /// Attributes of a certificate's subject or issuer, such as `CN=AnyNet Relay`; `CN=MeshCentralRoot-*` for any that begins so.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// Protocols that the product, and nothing else, speaks: values of `network.protocol`.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// What its clients say that they are in HTTP (`User-Agent`): all of it, or what stands before the version.
    #[serde(default)]
    pub user_agents: Vec<String>,
    /// What its servers say that they are in HTTP (`Server`), likewise.
    #[serde(default)]
    pub http_servers: Vec<String>,
    /// What its machines call themselves (DHCP, mDNS); `jetkvm-*` for any that begins so.
    #[serde(default)]
    pub host_names: Vec<String>,
    /// The DNS-SD services that its machines offer (RFC 6763), such as `_pikvm._tcp`.
    #[serde(default)]
    pub services: Vec<String>,
    /// Hardware addresses its maker has for it alone: `30:52:53`, or `04:c9:8b:10/28`.
    #[serde(default)]
    pub ouis: Vec<String>,
    /// Its servers make up the names in their certificates.
    #[serde(default)]
    pub made_up_certificates: bool,
    /// Attributes of the subject of a certificate that each installation makes for itself, so that it names one.
    #[serde(default)]
    pub installation_certificates: Vec<String>,
    /// Ports that are registered for it and on which its servers answer in TLS: for those that show nothing else.
    #[serde(default)]
    pub tls_ports: Vec<u16>,
    /// Ports it is found on; for the reader alone, they decide nothing.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Where its signatures are published.
    #[serde(default)]
    pub source: String,
    /// The folder of `pcaps/` that recorded it.
    #[serde(default)]
    pub recorded: Option<String>,
}

impl Product {
    /// Names the installation of the product that a certificate was made by: the SHA-256 over it.
    pub fn installation<'a>(&self, certificate: &'a Certificate) -> Option<&'a str> {
        let subject = certificate.subject.as_ref()?;
        let is_its = |attribute: &str| self.installation_certificates.iter().any(|known| known == attribute.trim());
        subject.as_str().split(',').any(is_its).then_some(&*certificate.sha256)
    }
}

/// What a product is used for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Files in the vendor's keeping.
    CloudStorage,
    /// Source code in the vendor's keeping.
    CodeHosting,
    /// Calls with pictures; most let a participant drive another one's screen.
    Conferencing,
    /// An organisation's own way in from outside.
    CorporateVpn,
    /// Names resolved inside TLS or HTTPS, past the organisation's own resolver.
    DohResolver,
    /// A keyboard, a screen and a mouse over the network.
    IpKvm,
    /// A private network over others' networks.
    Overlay,
    /// Texts and files for whoever has the link, without an account.
    PasteSite,
    RemoteAccess,
    /// A way in from outside through a connection from inside.
    ReverseTunnel,
    /// A desktop in a data centre.
    VirtualDesktop,
    /// A private network of a vendor's, to come out elsewhere.
    Vpn,
}

impl Kind {
    pub const ALL: &'static [Self] = &[
        Self::RemoteAccess,
        Self::IpKvm,
        Self::ReverseTunnel,
        Self::Vpn,
        Self::Overlay,
        Self::CorporateVpn,
        Self::VirtualDesktop,
        Self::Conferencing,
        Self::CodeHosting,
        Self::CloudStorage,
        Self::PasteSite,
        Self::DohResolver,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CloudStorage => "cloud_storage",
            Self::CodeHosting => "code_hosting",
            Self::Conferencing => "conferencing",
            Self::CorporateVpn => "corporate_vpn",
            Self::DohResolver => "doh_resolver",
            Self::IpKvm => "ip_kvm",
            Self::Overlay => "overlay",
            Self::PasteSite => "paste_site",
            Self::RemoteAccess => "remote_access",
            Self::ReverseTunnel => "reverse_tunnel",
            Self::VirtualDesktop => "virtual_desktop",
            Self::Vpn => "vpn",
        }
    }

    /// What it is, in a few words.
    pub const fn as_title(self) -> &'static str {
        match self {
            Self::CloudStorage => "Cloud storage",
            Self::CodeHosting => "Code hosts",
            Self::Conferencing => "Conferencing",
            Self::CorporateVpn => "Corporate VPNs",
            Self::DohResolver => "Resolvers over HTTPS and TLS",
            Self::IpKvm => "IP-KVMs",
            Self::Overlay => "Overlay networks",
            Self::PasteSite => "Paste and drop sites",
            Self::RemoteAccess => "Remote access and remote management",
            Self::ReverseTunnel => "Reverse tunnels",
            Self::VirtualDesktop => "Virtual desktops",
            Self::Vpn => "Consumer VPNs",
        }
    }

    /// Whether its website is the product, so that a visit is its use.
    const fn is_website(self) -> bool {
        matches!(
            self,
            Self::CloudStorage | Self::CodeHosting | Self::Conferencing | Self::DohResolver | Self::PasteSite
        )
    }
}

/// How a product was recognised.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Basis {
    Alpn,
    Certificate,
    /// Its name was asked for, which is less than a connection.
    DnsQuestion,
    /// A machine called itself so.
    HostName,
    /// Its server said what it is in HTTP.
    HttpServer,
    /// A machine has a hardware address of its maker's.
    Oui,
    /// It spoke its own protocol.
    Protocol,
    /// A proxy opened a tunnel to a server of that name.
    ProxiedName,
    /// A proxy was asked for its name, and may refuse.
    ProxyQuestion,
    ServerName,
    /// A machine offers a service of that name to its neighbours.
    Service,
    /// A server answered in TLS on a port that is registered for it.
    TlsPort,
    /// Its client said what it is in HTTP.
    UserAgent,
    /// A server name that the vendor uses for other things, too.
    VendorName,
}

impl Basis {
    /// How far it goes, for the reader.
    pub const fn as_certainty(self) -> &'static str {
        match self {
            Self::Alpn | Self::Certificate | Self::HttpServer | Self::Protocol | Self::UserAgent => "certain",
            Self::HostName | Self::Oui | Self::ProxiedName | Self::ServerName | Self::Service | Self::TlsPort => {
                "likely"
            }
            Self::DnsQuestion | Self::ProxyQuestion | Self::VendorName => "vendor only",
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alpn => "alpn",
            Self::Certificate => "certificate",
            Self::DnsQuestion => "dns_question",
            Self::HostName => "host_name",
            Self::HttpServer => "http_server",
            Self::Oui => "oui",
            Self::Protocol => "protocol",
            Self::ProxiedName => "proxied_name",
            Self::ProxyQuestion => "proxy_question",
            Self::ServerName => "server_name",
            Self::Service => "service",
            Self::TlsPort => "tls_port",
            Self::UserAgent => "user_agent",
            Self::VendorName => "vendor_name",
        }
    }
}

/// The host that a request in HTTP is for.
const DOMAIN: &str = "url.domain";

/// A product seen on a flow, and how it was recognised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sighting {
    pub product: Arc<Product>,
    pub basis: Basis,
}

/// The signatures, indexed.
#[derive(Debug, Default)]
pub struct Products {
    products: Vec<Arc<Product>>,
    names: HashMap<Box<str>, (Arc<Product>, Basis)>,
    alpn: HashMap<Box<str>, Arc<Product>>,
    certificates: HashMap<Box<str>, Arc<Product>>,
    protocols: HashMap<Box<str>, Arc<Product>>,
    user_agents: HashMap<Box<str>, Arc<Product>>,
    http_servers: HashMap<Box<str>, Arc<Product>>,
    services: HashMap<Box<str>, Arc<Product>>,
    host_names: HashMap<Box<str>, Arc<Product>>,
    /// Beginnings of attributes of certificates and of host names, and prefixes of hardware addresses with their lengths: few,
    /// and asked for seldom.
    certificate_prefixes: Prefixes,
    host_prefixes: Prefixes,
    ouis: Vec<(Oui, Arc<Product>)>,
    tls_ports: HashMap<u16, Arc<Product>>,
}

type Prefixes = Vec<(Box<str>, Arc<Product>)>;

/// The first bits of a hardware address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Oui {
    bits: u64,
    len: u32,
}

impl Oui {
    /// `30:52:53`, or more bytes and how many bits of them count.
    fn parse(text: &str) -> Option<Self> {
        let (bytes, len) = text.split_once('/').map_or((text, None), |(bytes, len)| (bytes, Some(len)));
        let groups: Vec<&str> = bytes.split(':').collect();
        let mut octets = [0; 6];
        for (octet, group) in octets.iter_mut().zip(&groups) {
            *octet = u8::from_str_radix(group, 16).ok()?;
        }
        let whole = u32::try_from(groups.len()).ok()? * 8;
        let len = len.map_or(Some(whole), |len| len.parse().ok()).filter(|&len| (24..=whole.min(48)).contains(&len))?;
        Some(Self { bits: Mac(octets).bits() >> (48 - len), len })
    }

    fn contains(self, mac: Mac) -> bool {
        mac.bits() >> (48 - self.len) == self.bits
    }
}

impl Products {
    /// The most labels of a name that are looked at.
    const LABELS_MAX: usize = 32;
    /// The most alternative names of a certificate that is taken for one product's.
    const CERTIFICATE_NAMES_MAX: usize = 8;

    /// Reads a data file; one that does not exist holds no product.
    pub fn load(path: &Path) -> Result<Self, Box<Fault>> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&file, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Box::new(Fault::of_file(&file, format!("cannot be read: {error}")))),
        }
    }

    /// The products as the sensor was built with them.
    pub fn shipped() -> Self {
        let text = include_str!("../../rules/data/products.yml");
        Self::parse("products.yml", text).expect("a test reads the shipped file")
    }

    fn parse(file: &str, text: &str) -> Result<Self, Box<Fault>> {
        let mut products = Self::default();
        for product in yaml::parse::<Vec<Spanned<Product>>>(file, text)? {
            let place = (product.referenced.line(), product.referenced.column());
            products.add(product.value).map_err(|message| Box::new(Fault::at(file, text, place, message)))?;
        }
        Ok(products)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Product> {
        self.products.iter().map(|product| &**product)
    }

    /// The product of a name, by the longest suffix of whole labels.
    pub fn by_name(&self, name: &str) -> Option<Sighting> {
        let name = lower_case(name.trim_end_matches('.'));
        let mut suffix = &*name;
        for _ in 0..Self::LABELS_MAX {
            if let Some((product, basis)) = self.names.get(suffix) {
                let is_page = !product.kind.is_website() && is_page(&name, suffix);
                let basis = if is_page { Basis::VendorName } else { *basis };
                return Some(Sighting { product: Arc::clone(product), basis });
            }
            (_, suffix) = suffix.split_once('.')?;
        }
        None
    }

    /// The product of a hello: what only the product says before what its servers are called.
    pub fn by_hello(&self, hello: &Hello) -> Option<Sighting> {
        let alpn = || hello.alpn.iter().find_map(|protocol| self.by_alpn(protocol));
        let certificate = || hello.certificate.as_deref().and_then(|certificate| self.by_certificate(certificate));
        let name = || hello.server_name.as_ref().and_then(|name| self.by_name(name.as_str()));
        alpn().or_else(certificate).or_else(name)
    }

    /// The product of a request or an answer in HTTP: by what the program is that sent it, or else by the server's name.
    pub fn by_http(&self, hello: &Hello) -> Option<Sighting> {
        let said = |index: &HashMap<Box<str>, Arc<Product>>, field, basis| {
            let product = Arc::clone(software::get(index, text(hello, field)?)?);
            Some(Sighting { product, basis })
        };
        said(&self.user_agents, "user_agent.original", Basis::UserAgent)
            .or_else(|| said(&self.http_servers, "http.server", Basis::HttpServer))
            .or_else(|| self.by_host(hello))
    }

    /// The product of the server that a request is for, or that a proxy answers of.
    fn by_host(&self, hello: &Hello) -> Option<Sighting> {
        let sighting = self.by_name(text(hello, DOMAIN)?)?;
        let is_proxied = || hello.fields.get("http.request.target_form").is_some();
        let basis = match (sighting.basis, hello.sender) {
            (Basis::ServerName, Sender::Server) => Basis::ProxiedName,
            (Basis::ServerName, Sender::Client) if is_proxied() => Basis::ProxyQuestion,
            (basis, _) => basis,
        };
        Some(Sighting { basis, ..sighting })
    }

    /// The product that a server is which answers in TLS on this port.
    pub fn by_tls_port(&self, port: u16) -> Option<Sighting> {
        let product = Arc::clone(self.tls_ports.get(&port)?);
        Some(Sighting { product, basis: Basis::TlsPort })
    }

    /// The product of a protocol that nothing else speaks.
    pub fn by_protocol(&self, protocol: Protocol) -> Option<Sighting> {
        let product = Arc::clone(self.protocols.get(protocol.as_str())?);
        Some(Sighting { product, basis: Basis::Protocol })
    }

    /// The product that a machine is which asks for an address: by what it calls itself, or by who made it.
    pub fn by_lease(&self, lease: &Lease) -> Option<Sighting> {
        let by_name = || self.by_host_name(lease.host_name.as_ref()?.as_str());
        by_name().or_else(|| self.by_mac(lease.mac?))
    }

    /// The product that a machine is which answers for itself (mDNS): by a service it offers, or by its name.
    pub fn by_announcement(&self, name: &Name) -> Option<Sighting> {
        if !name.answered {
            return None;
        }
        let texts = |field| match name.fields.get(field) {
            Some(Value::List(values)) => values.as_slice(),
            _ => &[],
        };
        let services = texts("dns.answers.name").iter().filter_map(|value| match value {
            Value::Text(service) => self.by_service(service.as_str()),
            _ => None,
        });
        let by_name = || match name.fields.get("host.hostname")? {
            Value::Text(host) => self.by_host_name(host.as_str()),
            _ => None,
        };
        services.into_iter().next().or_else(by_name)
    }

    fn by_service(&self, service: &str) -> Option<Sighting> {
        let service = service.trim_end_matches('.').to_ascii_lowercase();
        let service = service.strip_suffix(".local").unwrap_or(&service);
        // The service of an instance stands behind its name.
        let service = match service.split_once("._") {
            Some((_, rest)) if !service.starts_with('_') => format!("_{rest}"),
            _ => service.to_owned(),
        };
        let product = Arc::clone(self.services.get(&*service)?);
        Some(Sighting { product, basis: Basis::Service })
    }

    fn by_host_name(&self, name: &str) -> Option<Sighting> {
        let name = name.to_ascii_lowercase();
        let by_prefix = || by_prefix(&self.host_prefixes, &name);
        let product = Arc::clone(self.host_names.get(&*name).or_else(by_prefix)?);
        Some(Sighting { product, basis: Basis::HostName })
    }

    fn by_mac(&self, mac: Mac) -> Option<Sighting> {
        let (_, product) = self.ouis.iter().find(|(oui, _)| oui.contains(mac))?;
        Some(Sighting { product: Arc::clone(product), basis: Basis::Oui })
    }

    fn by_alpn(&self, protocol: &Text) -> Option<Sighting> {
        let name = lower_case(protocol.as_str().split('/').next()?);
        let product = Arc::clone(self.alpn.get(&*name)?);
        Some(Sighting { product, basis: Basis::Alpn })
    }

    fn by_certificate(&self, certificate: &Certificate) -> Option<Sighting> {
        let attributes = [&certificate.subject, &certificate.issuer].into_iter().flatten();
        let product = attributes.flat_map(|name| name.as_str().split(',')).find_map(|attribute| {
            let attribute = lower_case(attribute.trim());
            let by_prefix = || by_prefix(&self.certificate_prefixes, &attribute);
            self.certificates.get(&*attribute).or_else(by_prefix)
        });
        if let Some(product) = product {
            return Some(Sighting { product: Arc::clone(product), basis: Basis::Certificate });
        }
        let makes_up = || self.products.iter().find(|product| product.made_up_certificates);
        if let Some(product) = makes_up().filter(|_| is_made_up(certificate)) {
            return Some(Sighting { product: Arc::clone(product), basis: Basis::Certificate });
        }
        // A certificate of many names is a hoster's.
        if certificate.alternative_names.len() > Self::CERTIFICATE_NAMES_MAX {
            return None;
        }
        let mut names = certificate.alternative_names.iter().chain(&certificate.subject_common_name);
        let sighting = names.find_map(|name| self.by_name(name.as_str().trim_start_matches("*.")))?;
        let basis = if sighting.basis == Basis::VendorName { Basis::VendorName } else { Basis::Certificate };
        Some(Sighting { basis, ..sighting })
    }

    fn add(&mut self, product: Product) -> Result<(), String> {
        let product = Arc::new(product);
        let twice = |signature: &str, first: &Product| {
            let (first, second) = (&first.id, &product.id);
            Err(format!("{signature:?} belongs to both `{first}` and `{second}`; leave it in one of them"))
        };
        let names = product.names.iter().map(|name| (name, Basis::ServerName));
        for (name, basis) in names.chain(product.broad_names.iter().map(|name| (name, Basis::VendorName))) {
            let entry = (Arc::clone(&product), basis);
            if let Some((first, _)) = self.names.insert(name.to_ascii_lowercase().into(), entry) {
                return twice(name, &first);
            }
        }
        for software in product.user_agents.iter().chain(&product.http_servers) {
            software::check(software).map_err(|fault| format!("{software:?} of `{}` {fault}", product.id))?;
        }
        let indexes = [
            (&mut self.alpn, &product.alpn),
            (&mut self.protocols, &product.protocols),
            (&mut self.user_agents, &product.user_agents),
            (&mut self.http_servers, &product.http_servers),
            (&mut self.services, &product.services),
        ];
        for (index, signatures) in indexes {
            for signature in signatures {
                if let Some(first) = index.insert(signature.to_ascii_lowercase().into(), Arc::clone(&product)) {
                    return twice(signature, &first);
                }
            }
        }
        for attribute in &product.certificates {
            let known = attribute.to_ascii_lowercase();
            if let Some(beginning) = known.strip_suffix('*') {
                check_beginning(beginning).map_err(|fault| format!("{attribute:?} of `{}` {fault}", product.id))?;
                self.certificate_prefixes.push((beginning.into(), Arc::clone(&product)));
            } else if let Some(first) = self.certificates.insert(known.into(), Arc::clone(&product)) {
                return twice(attribute, &first);
            }
        }
        for &port in &product.tls_ports {
            if let Some(first) = self.tls_ports.insert(port, Arc::clone(&product)) {
                return twice(&port.to_string(), &first);
            }
        }
        self.add_machines(&product)?;
        self.products.push(product);
        Ok(())
    }

    /// What the product's machines are told by.
    fn add_machines(&mut self, product: &Arc<Product>) -> Result<(), String> {
        for name in &product.host_names {
            let product = Arc::clone(product);
            match name.to_ascii_lowercase().strip_suffix('*') {
                Some(prefix) => self.host_prefixes.push((prefix.into(), product)),
                None => _ = self.host_names.insert(name.to_ascii_lowercase().into(), product),
            }
        }
        for text in &product.ouis {
            let oui = Oui::parse(text).ok_or_else(|| {
                format!("{text:?} of `{}` is no beginning of a MAC; write `30:52:53` or `04:c9:8b:10/28`", product.id)
            })?;
            self.ouis.push((oui, Arc::clone(product)));
        }
        Ok(())
    }
}

/// Whether a certificate's names are as Tor's relays make them up: `CN=www.<random>.net`, issued by `CN=www.<random>.com`,
/// 8 to 20 digits of Base32 each, and nothing else.
fn is_made_up(certificate: &Certificate) -> bool {
    let random = |name: &Option<Text>, end: &str| {
        let label = name.as_ref()?.as_str().strip_prefix("CN=www.")?.strip_suffix(end)?.to_owned();
        let is_digit = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
        ((8..=20).contains(&label.len()) && label.bytes().all(is_digit)).then_some(label)
    };
    match (random(&certificate.subject, ".net"), random(&certificate.issuer, ".com")) {
        (Some(subject), Some(issuer)) => subject != issuer && certificate.alternative_names.is_empty(),
        _ => false,
    }
}

fn by_prefix<'a>(prefixes: &'a Prefixes, text: &str) -> Option<&'a Arc<Product>> {
    prefixes.iter().find(|(prefix, _)| text.starts_with(&**prefix)).map(|(_, product)| product)
}

/// Whether an attribute that begins so is nobody else's.
fn check_beginning(beginning: &str) -> Result<(), &'static str> {
    let name = beginning.split_once('=').map_or("", |(_, name)| name);
    if name.len() < 4 { Err("fits too many certificates; write more of the name before the star") } else { Ok(()) }
}

/// The name of the server that a hello is for: the one that TLS asks for, or HTTP.
pub fn server_name(hello: &Hello) -> Option<&str> {
    hello.server_name.as_ref().map(Text::as_str).or_else(|| text(hello, DOMAIN))
}

/// A field of a hello that holds text.
fn text<'a>(hello: &'a Hello, field: &str) -> Option<&'a str> {
    match hello.fields.get(field)? {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    }
}

/// Nearly all names are lower-case already.
fn lower_case(name: &str) -> Cow<'_, str> {
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(name) } else { Cow::Owned(name.to_ascii_lowercase()) }
}

/// What a vendor's website is called below its domain.
const PAGES: &[&str] =
    &["blog", "community", "docs", "download", "downloads", "help", "kb", "learn", "shop", "status", "support", "www"];

/// Whether a name below a vendor's domain is that of its website.
fn is_page(name: &str, domain: &str) -> bool {
    let below = name.strip_suffix(domain).map(|label| label.trim_end_matches('.'));
    domain.split('.').count() == 2 && below.is_some_and(|label| label.is_empty() || PAGES.contains(&label))
}

#[cfg(test)]
#[path = "products_tests.rs"]
mod tests;
