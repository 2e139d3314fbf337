//! The configuration file in, every stage's settings out.

pub mod yaml;
