//! Applications in Rust: datasets of typed records, and closures that run in
//! executors.
//!
//! ```no_run
//! use mesquite_native::{BoxError, Context};
//!
//! fn word_count(cx: &Context) -> Result<(), BoxError> {
//!     let [files, folder] = cx.arguments() else {
//!         return Err("give files and a folder".into());
//!     };
//!     let words = cx.text(files).flat_map(|line| {
//!         let words = line.split_whitespace().map(str::to_lowercase);
//!         words.map(|word| (word, 1)).collect::<Vec<_>>()
//!     });
//!     let counts = words.reduce_by_key(|a: u64, b| a + b).persist();
//!     counts.top(10, |(_, count)| *count).collect().then(|top| println!("{top:?}"));
//!     counts.save(folder);
//!     Ok(())
//! }
//! ```
//!
//! The function of an application describes what is to be done; nothing runs before
//! it is done. Closures are not sent anywhere: executors are the same program, and
//! run the same function with the same arguments to come by the same closures
//! ([`program`](Program)). So what the function does may depend on its arguments
//! alone. What a closure needs beside them is sent by [`Context::broadcast`].
//!
//! Responsible for that: records as lines ([`codec`]), the plan that a [`Context`]
//! grows, and closures within tasks. The engine knows functions by number, the
//! scheduler nothing of them. The command line is not known here.

mod action;
mod broadcast;
mod call_site;
pub mod codec;
mod combine;
mod context;
mod dataset;
mod first;
mod flow;
mod order;
mod outcome;
mod pairs;
mod panics;
mod program;
mod registry;
mod settings;
mod source;
#[cfg(test)]
mod testing;
mod whole;

use std::error::Error;

pub use action::{Action, Done};
pub use broadcast::Broadcast;
pub use codec::{Line, Record};
pub use context::{Context, Described, Results};
pub use dataset::Dataset;
pub use flow::Partition;
pub use mesquite_workload::plan::application::Format;
pub use order::SortKey;
pub use outcome::Outcome;
pub use program::Program;
pub use registry::Registry;
pub use source::{Placed, Source, Task};

/// Any error of the user's.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// An error with its causes, in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
