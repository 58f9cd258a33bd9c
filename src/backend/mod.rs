//! Backends: from what there is (threads, executors, Mesos offers) to room for
//! tasks.
//!
//! Responsible for how large executors are and how many. Pure; the sockets and
//! processes behind a backend are the driver's.

pub mod executor_size;
