//! Server names, ALPN identifiers, certificates and protocols in, the product that uses them out.
//!
//! The signatures are data (`rules/data/products.yml`), so that a product is added without a build.

use std::path::Path;
use std::sync::Arc;

use hashbrown::HashMap;
use serde::Deserialize;

use crate::facts::{Certificate, Hello};
use crate::net::Text;
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
    /// Attributes of a certificate's subject or issuer, such as `CN=AnyNet Relay`.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// Protocols that the product, and nothing else, speaks: values of `network.protocol`.
    #[serde(default)]
    pub protocols: Vec<String>,
}

/// What a product is used for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Files of anybody's in a place of anybody's.
    CloudStorage,
    /// Repositories of source code.
    CodeHosting,
    /// A keyboard, a screen and a mouse over the network.
    IpKvm,
    /// A private network over others' networks.
    Overlay,
    RemoteAccess,
    /// A way in from outside through a connection from inside.
    ReverseTunnel,
    Vpn,
}

impl Kind {
    /// Whether the product is used where its vendor's pages are.
    const fn is_a_website(self) -> bool {
        matches!(self, Self::CloudStorage | Self::CodeHosting)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CloudStorage => "cloud_storage",
            Self::CodeHosting => "code_hosting",
            Self::IpKvm => "ip_kvm",
            Self::Overlay => "overlay",
            Self::RemoteAccess => "remote_access",
            Self::ReverseTunnel => "reverse_tunnel",
            Self::Vpn => "vpn",
        }
    }
}

/// How a product was recognised.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Basis {
    Alpn,
    Certificate,
    /// Its name was asked for, which is less than a connection.
    DnsQuestion,
    /// It spoke its own protocol.
    Protocol,
    ServerName,
    /// A server name that the vendor uses for other things, too.
    VendorName,
}

impl Basis {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alpn => "alpn",
            Self::Certificate => "certificate",
            Self::DnsQuestion => "dns_question",
            Self::Protocol => "protocol",
            Self::ServerName => "server_name",
            Self::VendorName => "vendor_name",
        }
    }
}

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
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let mut suffix = name.as_str();
        for _ in 0..Self::LABELS_MAX {
            if let Some((product, basis)) = self.names.get(suffix) {
                let is_only_seen = is_page(&name, suffix) && !product.kind.is_a_website();
                let basis = if is_only_seen { Basis::VendorName } else { *basis };
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

    /// The product of a protocol that nothing else speaks.
    pub fn by_protocol(&self, protocol: Protocol) -> Option<Sighting> {
        let product = Arc::clone(self.protocols.get(protocol.as_str())?);
        Some(Sighting { product, basis: Basis::Protocol })
    }

    fn by_alpn(&self, protocol: &Text) -> Option<Sighting> {
        let name = protocol.as_str().split('/').next()?.to_ascii_lowercase();
        let product = Arc::clone(self.alpn.get(&*name)?);
        Some(Sighting { product, basis: Basis::Alpn })
    }

    fn by_certificate(&self, certificate: &Certificate) -> Option<Sighting> {
        let attributes = [&certificate.subject, &certificate.issuer].into_iter().flatten();
        let product = attributes
            .flat_map(|name| name.as_str().split(','))
            .find_map(|attribute| self.certificates.get(&*attribute.trim().to_ascii_lowercase()));
        if let Some(product) = product {
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
        for protocol in &product.alpn {
            if let Some(first) = self.alpn.insert(protocol.to_ascii_lowercase().into(), Arc::clone(&product)) {
                return twice(protocol, &first);
            }
        }
        for attribute in &product.certificates {
            if let Some(first) = self.certificates.insert(attribute.to_ascii_lowercase().into(), Arc::clone(&product)) {
                return twice(attribute, &first);
            }
        }
        for protocol in &product.protocols {
            if let Some(first) = self.protocols.insert(protocol.as_str().into(), Arc::clone(&product)) {
                return twice(protocol, &first);
            }
        }
        self.products.push(product);
        Ok(())
    }
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
