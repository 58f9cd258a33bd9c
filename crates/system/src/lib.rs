//! What the shells share of the machine they run on.
//!
//! Responsible for its clock, for waiting until a moment comes, for how many files and
//! connections a process may have, for the ports it listens on, and for what threads and
//! processes took. Pure crates never depend on it: they are told the moment.

pub mod clock;
pub mod descriptors;
pub mod ports;
pub mod timer;
pub mod usage;
