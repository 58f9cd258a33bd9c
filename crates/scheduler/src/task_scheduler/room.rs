//! What is left of an offer.
//!
//! Responsible for its arithmetic: whether a task fits, and what is left beside it.

use std::sync::Arc;

use crate::ids::ResourceProfileId;
use crate::plan::TaskNeeds;
use crate::task_set_manager::Spot;
use crate::worker_offer::free_addresses;

/// Named resources with their free or taken addresses.
pub(super) type Addresses = Vec<(Arc<str>, Vec<Arc<str>>)>;

/// What is left of an offer.
pub(super) struct Room {
    /// The offer's place among those that came.
    pub(super) offer: u32,
    pub(super) spot: Spot,
    pub(super) cores: u32,
    pub(super) profile: ResourceProfileId,
    pub(super) resources: Addresses,
    pub(super) address: Option<Arc<str>>,
}

impl Room {
    pub(super) fn fits(&self, needs: &TaskNeeds) -> bool {
        self.profile == needs.profile
            && self.cores >= needs.cpus
            && needs
                .resources
                .iter()
                .all(|(name, amount)| free_addresses(&self.resources, name) >= *amount)
    }

    /// Takes what a task needs; gives the addresses.
    pub(super) fn take(&mut self, needs: &TaskNeeds) -> Addresses {
        self.cores -= needs.cpus;
        needs
            .resources
            .iter()
            .filter_map(|(name, amount)| {
                let (_, free) = self.resources.iter_mut().find(|(free, _)| free == name)?;
                Some((Arc::clone(name), free.drain(..*amount as usize).collect()))
            })
            .collect()
    }

    /// Puts back what a task took.
    pub(super) fn put_back(&mut self, needs: &TaskNeeds, taken: Addresses) {
        self.cores += needs.cpus;
        for (name, addresses) in taken {
            if let Some((_, free)) = self.resources.iter_mut().find(|(free, _)| *free == name) {
                free.extend(addresses);
            }
        }
    }
}
