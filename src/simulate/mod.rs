//! A scenario and a seed in, a labelled company out: packets or facts of its days, and what is true of it.
//!
//! Everything follows from the seed: a company has people, machines and places ([`company`]), a day is a list of actions
//! in the order of time ([`work`]), an action is a conversation ([`talk`]), a conversation is packets ([`conversation`]).
//! The packets become frames in a capture ([`wire`]), or go through the sensor's own flow table and become a recording
//! of its facts ([`stream`]): both say the same, since both have one source. How people and operators spend their days is
//! a model; what it assumes stands beside it.

pub mod action;
pub mod company;
pub mod conversation;
pub mod course;
pub mod label;
pub mod message;
mod names;
pub mod place;
pub mod plan;
pub mod random;
pub mod rhythm;
pub mod scenario;
pub mod stack;
pub mod stream;
pub mod talk;
pub mod traffic;
pub mod wire;
pub mod work;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::flow;
use crate::net::Network;
use crate::recording::Writer;
use crate::time::Timestamp;
pub use action::Vantage;
use company::Company;
use scenario::Scenario;
use traffic::Traffic;
use wire::Pcap;

pub const CAPTURE: &str = "capture.pcap.zst";
pub const CONFIGURATION: &str = "spanwatch.yml";
pub const FACTS: &str = "company.facts.jsonl.zst";
pub const README: &str = "README.md";
pub const TRUTH: &str = "truth.json";

/// Monday, 2026-01-12, midnight of the company's clock, five hours behind UTC.
pub const START: Timestamp = Timestamp::from_secs(1_768_194_000);

/// What is simulated.
pub struct Options {
    pub scenario: &'static Scenario,
    pub seed: u64,
    pub days: usize,
    pub employees: usize,
    /// What the sensor is shown.
    pub vantages: Vec<Vantage>,
    /// Whether households reach the company over IPv6.
    pub is_ipv6: bool,
}

/// Which files are written beside the labels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    Both,
    Capture,
    Facts,
}

/// What was written.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    pub people: usize,
    pub farms: usize,
    pub packets: u64,
    pub facts: u64,
    /// What the files take.
    pub bytes: u64,
}

impl Form {
    /// What a person's day takes in a capture and in a recording, compressed; measured on the scenario farm-rmm.
    const CAPTURE_BYTES_A_DAY: u64 = 740_000;
    const FACTS_BYTES_A_DAY: u64 = 48_000;

    /// About how much is written.
    pub const fn bytes_about(self, people: usize, days: usize) -> u64 {
        let bytes_a_day = match self {
            Self::Both => Self::CAPTURE_BYTES_A_DAY + Self::FACTS_BYTES_A_DAY,
            Self::Capture => Self::CAPTURE_BYTES_A_DAY,
            Self::Facts => Self::FACTS_BYTES_A_DAY,
        };
        people as u64 * days as u64 * bytes_a_day
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("{path}: cannot be written: {source}")]
    Write { path: String, source: io::Error },
}

/// How hard Zstandard tries: what it wins beyond is little, and takes long.
const COMPRESSION_LEVEL: i32 = 3;

/// Writes everything into a directory, which is made where there is none.
pub fn simulate(options: &Options, form: Form, directory: &Path) -> Result<Outcome, SimulateError> {
    let company = Company::new(options.scenario, options.seed, options.employees, options.days);
    let company = if options.is_ipv6 { company.over_ipv6() } else { company };
    let traffic = || Traffic::new(&company, START).seen_at(&options.vantages);
    let at = |name: &str| directory.join(name);
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| SimulateError::Write { path, source }
    };
    fs::create_dir_all(directory).map_err(failed(directory))?;
    let mut outcome = Outcome { people: company.people.len(), farms: company.farms.len(), ..Outcome::default() };
    let mut files = vec![TRUTH, CONFIGURATION, README];
    if form != Form::Facts {
        outcome.packets = capture(traffic(), &at(CAPTURE)).map_err(failed(&at(CAPTURE)))?;
        files.push(CAPTURE);
    }
    if form != Form::Capture {
        outcome.facts = record(traffic(), &at(FACTS)).map_err(failed(&at(FACTS)))?;
        files.push(FACTS);
    }
    files.sort_unstable();
    let truth = serde_json::to_string_pretty(&label::truth(&company, options, START)).expect("keys are text") + "\n";
    for (name, text) in [
        (TRUTH, truth),
        (CONFIGURATION, label::configuration(&company)),
        (README, label::readme(&company, options, &files)),
    ] {
        fs::write(at(name), text).map_err(failed(&at(name)))?;
    }
    for name in files {
        outcome.bytes += fs::metadata(at(name)).map_err(failed(&at(name)))?.len();
    }
    Ok(outcome)
}

/// The networks of every simulated company that are its own, as flows' directions are told by.
pub fn home_networks() -> Vec<Network> {
    let networks = ["10.20.0.0/16", "10.30.0.0/16", "10.99.0.0/16"].iter().filter_map(|network| network.parse().ok());
    let outer = [plan::GATEWAY, plan::PORTAL, plan::MAIL].into_iter().flat_map(|address| {
        let [.., host] = address.octets();
        [IpAddr::from(address), plan::ipv6(address, host.into())]
    });
    networks.chain(outer.filter_map(|address| address.to_string().parse().ok())).collect()
}

/// Writes a capture of every packet. Returns how many there were.
fn capture(mut traffic: Traffic<'_>, path: &Path) -> io::Result<u64> {
    let mut pcap = Pcap::new(compressed(path)?)?;
    let (mut payload, mut packets) = (Vec::new(), 0);
    while let Some(head) = traffic.next(&mut payload) {
        pcap.write(head.at, &wire::frame(&head, &payload))?;
        packets += 1;
    }
    finish(pcap.finish()?)?;
    Ok(packets)
}

/// Writes a recording of every fact. Returns how many there were.
fn record(mut traffic: Traffic<'_>, path: &Path) -> io::Result<u64> {
    let settings = flow::Settings { home_networks: home_networks(), ..flow::Settings::default() };
    let mut writer = Writer::new(compressed(path)?)?;
    let facts = stream::record(&mut traffic, &settings, &mut writer)?;
    finish(writer.finish()?)?;
    Ok(facts)
}

type Compressed = BufWriter<zstd::Encoder<'static, File>>;

fn compressed(path: &Path) -> io::Result<Compressed> {
    let encoder = zstd::Encoder::new(File::create(path)?, COMPRESSION_LEVEL)?;
    Ok(BufWriter::with_capacity(1 << 17, encoder))
}

fn finish(output: Compressed) -> io::Result<()> {
    let encoder = output.into_inner().map_err(io::IntoInnerError::into_error)?;
    encoder.finish()?.flush()
}

/// Where the files of a simulation lie.
pub fn files(directory: &Path) -> [PathBuf; 2] {
    [CAPTURE, FACTS].map(|name| directory.join(name))
}
