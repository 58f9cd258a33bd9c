//! Both backends of Mesos under random sequences of events.
//!
//! [`master::Master`] plays the master and its agents and checks every call: no
//! offer is used twice or beyond what it has, every status with a uuid is
//! acknowledged once. [`fine`] and [`coarse`] play what is around the backend,
//! and check that what it says is true. After the faults everything goes well,
//! and all must get done.

mod coarse;
mod fine;
mod master;
