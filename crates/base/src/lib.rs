//! Vocabulary of Mesquite: what every other crate speaks of.
//!
//! Responsible for ids, moments, amounts, back-off, how bytes and texts of others are written,
//! and properties with their declarations. Pure: no clock, file, socket, environment
//! or runtime; all of that is handed in.

pub mod amount;
pub mod backoff;
pub mod base64;
pub mod clock;
pub mod conf;
pub mod container;
pub mod hex;
pub mod ids;
pub mod plain;
pub mod variables;
