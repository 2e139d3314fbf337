//! spanwatch: a passive sensor for a mirror port that recognises laptop farms.
//!
//! ```text
//! shard:    capture ─Frame▶ decode ─Packet▶ flow ─Chunk▶ protocol ─Fact▶          × N threads
//! analysis: merge ▶ enrich ▶ identity ▶ profile ▶ detect ▶ rules ▶ alert ▶ risk   one thread
//! edge:     serve (HTTP, console, /metrics)   sinks (JSON lines, pushes)          tokio
//! ```
//!
//! Shards turn frames into facts; one analysis thread turns facts into findings and alerts; async code only carries
//! alerts and metrics out. The modules stand in the order a packet meets them.

// The vocabulary every stage shares.
pub mod time;
pub mod net;
pub mod quantity;
pub mod distribution;
pub mod yaml;
pub mod tls;
pub mod facts;
mod slab;
mod index;
pub mod recent;
pub mod memory;

// The shard.
pub mod capture;
pub mod decode;
pub mod flow;
pub mod protocol;
pub mod shard;
pub mod recording;

// The analysis.
pub mod enrich;
pub mod identity;
pub mod world;
pub mod event;
pub mod exhibit;
pub mod profile;
pub mod detect;
pub mod rules;
pub mod alert;
pub mod risk;
pub mod analysis;

// The edge.
pub mod config;
pub mod history;
pub mod metrics;
pub mod sinks;
pub mod state;
pub mod serve;
pub mod report;
pub mod summary;
pub mod sensor;
pub mod simulate;
pub mod evaluate;
pub mod cli;
