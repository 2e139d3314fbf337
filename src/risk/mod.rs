//! What rules matched in, incidents out: evidence adds up for each site, account and device until it is worth
//! somebody's time, and then it is said once.

pub mod incident;

pub use incident::{EvidenceItem, FamilyEvidence, Incident, IncidentId, State};
