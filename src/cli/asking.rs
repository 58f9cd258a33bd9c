//! The client by which commands ask the pages of a run.
//!
//! Responsible for the password, and for how long an answer may take. What is asked for is
//! the business of `logs` and `top`.

use std::path::Path;
use std::time::Duration;

use super::exit_code::Failure;
use crate::mesos::codec::Codec;
use crate::mesos::http::{Authentication, Http, HttpConfig, Kept};
use crate::mesos::tls::Tls;

/// A client with the password that this file has, if there is one.
///
/// # Errors
/// The file cannot be read.
pub(super) fn client(password_file: Option<&Path>, tls: Tls) -> Result<Http, Failure> {
    let http = Http::new(HttpConfig {
        // Of no meaning for what is only asked for.
        codec: Codec::Protobuf,
        authentication: match password_file {
            Some(path) => Authentication::Bearer(Kept::File(path.to_owned())),
            None => Authentication::None,
        },
        tls,
        connect_timeout: Duration::from_secs(5),
        call_timeout: Duration::from_secs(30),
        unix_socket: None,
    });
    http.map_err(|error| Failure::Usage(error.to_string()))
}
