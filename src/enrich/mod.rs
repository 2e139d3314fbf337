//! What the operator and the databases know about an address, a host or a product; asked for only when a rule or a
//! sink wants to know.

pub mod classes;
pub mod geo;
pub mod inventory;
pub mod manual;
pub mod networks;
pub mod point;
pub mod prefixes;
pub mod products;
mod software;
