//! Properties: what a user can set, what was set, and what is in effect.
//!
//! Responsible for the one list of properties (each declared once in
//! [`properties`], with type, unit, default and meaning), for reading the texts
//! people write ([`units`], [`master_url`], [`properties_file`]) and for
//! [`Conf`], which holds checked values and is asked everywhere above.
//!
//! Pure: files are read and the environment is collected by the command line,
//! which hands over (source, name, value) triples. Knows of no subsystem: a
//! rule that needs more than this crate is passed in with
//! [`ConfBuilder::check`].
//!
//! ```text
//! --conf, job file, properties file, environment
//!        | (source, name, value)
//!        v
//!   ConfBuilder --- Registry of declarations, table of foreign Spark names
//!        |
//!        v
//!   Conf: get(&PROPERTY) -> typed value        or every problem at once
//! ```

pub mod effective;
pub mod foreign;
pub mod layer;
pub mod master_url;
pub mod problem;
pub mod properties;
pub mod properties_file;
pub mod property;
pub mod redaction;
pub mod registry;
pub mod resolve;
pub mod secret;
pub mod syntax;
pub mod units;
pub mod value;

pub use effective::Conf;
pub use layer::Layer;
pub use master_url::MasterUrl;
pub use problem::{ConfError, Problem, Warning};
pub use property::{Family, Property};
pub use registry::Registry;
pub use resolve::ConfBuilder;
pub use secret::Secret;
pub use value::ByteSize;
