//! What is left of an offer.
//!
//! Responsible for its arithmetic: whether a task fits, and what is left beside it.

use std::sync::Arc;

use crate::ids::ResourceProfileId;
use crate::plan::TaskNeeds;
use crate::stock::{Held, Stock, stock_of, tasks_on};
use crate::task_set_manager::Spot;

/// What is left of an offer.
pub(super) struct Room {
    /// The offer's place among those that came.
    pub(super) offer: u32,
    pub(super) spot: Spot,
    pub(super) cores: u32,
    pub(super) profile: ResourceProfileId,
    pub(super) resources: Vec<Stock>,
    pub(super) address: Option<Arc<str>>,
}

impl Room {
    pub(super) fn fits(&self, needs: &TaskNeeds) -> bool {
        self.profile == needs.profile
            && self.cores >= needs.cpus
            && needs
                .resources
                .iter()
                .all(|(name, amount)| tasks_on(&self.resources, name, *amount) > 0)
    }

    /// Takes what a task needs; gives what it holds.
    pub(super) fn take(&mut self, needs: &TaskNeeds) -> Vec<Held> {
        self.cores -= needs.cpus;
        let taken = needs.resources.iter().filter_map(|(name, amount)| {
            let stock = self.resources.iter_mut().find(|it| it.name() == name)?;
            stock.take(*amount)
        });
        taken.collect()
    }

    /// Puts back what a task took.
    pub(super) fn put_back(&mut self, needs: &TaskNeeds, taken: &[Held]) {
        self.cores += needs.cpus;
        for held in taken {
            if let Some(stock) = stock_of(&mut self.resources, held) {
                stock.give_back(held);
            }
        }
    }
}
