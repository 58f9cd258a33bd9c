//! What an application says of a dataset beside what is in it.

use std::sync::Arc;

use crate::call_site::CallSite;

/// What is said of a dataset.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) place: CallSite,
    pub(crate) named: Option<Arc<str>>,
    pub(crate) persist: bool,
    /// How many partitions the shuffle makes that it comes from.
    pub(crate) partitions: Option<u32>,
}

impl Settings {
    pub(crate) const fn new(place: CallSite) -> Self {
        Self {
            place,
            named: None,
            persist: false,
            partitions: None,
        }
    }

    pub(crate) fn name(&self) -> Arc<str> {
        match &self.named {
            Some(name) => Arc::clone(name),
            None => self.place.to_string().into(),
        }
    }
}
