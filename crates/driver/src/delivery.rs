//! Results on their way out.
//!
//! Responsible for the words by which one that an executor keeps is fetched, and for handing
//! one to whoever listens, be it new or told again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::core::effect::Delivery;
use super::core::work::BlockPlace;
use super::listener::Listener;
use crate::ids::TaskId;

/// Fetches a result that an executor keeps.
pub(super) type FetchResult = Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send>>;

/// Makes [`FetchResult`]s: from an executor's address, the attempt and the length.
pub(super) type Fetcher = Arc<dyn Fn(&BlockPlace, TaskId, u64) -> FetchResult + Send + Sync>;

/// Prints a result that is not saved.
///
/// # Errors
/// It cannot be written: why, for people.
pub(super) fn print(
    listener: &mut dyn Listener,
    action: usize,
    delivery: &Delivery,
) -> Result<(), String> {
    let printed = match delivery {
        Delivery::Count(records) => listener.counted(action, *records),
        Delivery::Records(records) => listener.collected(action, records),
        Delivery::Save { .. } => Ok(()),
    };
    printed.map_err(|error| format!("cannot write the result: {error}"))
}
