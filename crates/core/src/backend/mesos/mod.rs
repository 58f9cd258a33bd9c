//! Mesos, in both modes. Pure.
//!
//! Responsible for what a framework does with offers and statuses. What it does whatever
//! its mode is the business of the [`desk`]; the modes have what differs: offers become
//! executors ([`coarse`]), or room for tasks ([`fine`]).
//!
//! | file | what |
//! | --- | --- |
//! | `desk` | the subscription, offers and calls, agents, what is shared of launches |
//! | `declines` | offers that go back |
//! | `answers` | what became of offers, for readers |
//! | `refusals` | calls that the master refused |
//! | `maintenance` | agents that are wanted back |
//! | `racks` | in which racks hosts stand |
//! | `agent_failures` | agents on which executors fail |
//! | `lacking` | resources with names that no agent has |
//! | `named` | resources with names, and their addresses |

pub mod agent_failures;
pub mod answers;
pub mod coarse;
pub mod container_advice;
pub mod declines;
pub mod desk;
pub mod fine;
pub mod lacking;
pub mod maintenance;
pub mod named;
mod racks;
pub mod refusals;
pub mod starts;

#[cfg(test)]
mod sequences;
