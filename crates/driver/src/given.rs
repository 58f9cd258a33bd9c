//! What each way to run is given.

use tokio::sync::mpsc;

use super::links::Arrival;
use super::shelf::Shelf;
use crate::conf::Conf;
use crate::plan::Plan;

/// What each way to run is given.
#[derive(Clone, Copy)]
pub(super) struct Given<'g> {
    pub(super) conf: &'g Conf,
    /// Where what executors say goes.
    pub(super) arrivals: &'g mpsc::UnboundedSender<Arrival>,
    /// The files that are brought to executors.
    pub(super) shelf: &'g Shelf,
    /// What is to be run, as scheduling sees it.
    pub(super) plan: &'g Plan,
}

impl<'g> Given<'g> {
    pub(super) const fn new(
        conf: &'g Conf,
        arrivals: &'g mpsc::UnboundedSender<Arrival>,
        shelf: &'g Shelf,
        plan: &'g Plan,
    ) -> Self {
        Self {
            conf,
            arrivals,
            shelf,
            plan,
        }
    }
}
