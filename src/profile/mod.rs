//! Events in, the minutes in which somebody was at work at each device or behind each tunnel out, and how they fall
//! together.

pub mod activity;
pub mod co_activity;
pub mod day;
mod destinations;
