//! Where executors, and room for tasks, come from. Pure.
//!
//! Responsible for what lies between the task scheduler and whatever runs tasks: room goes
//! up as [`WorkerOffer`](mesquite_scheduler::WorkerOffer)s, attempts and requests come
//! down, ends of attempts go up as events. Which task runs where is not decided here.
//!
//! | file | what |
//! | --- | --- |
//! | `manager` | the words, and the trait that each way to run implements |
//! | `threads`, `processes`, `mesos` | the ways to run |
//! | `executors` | the executors that are there, and the room on each |
//! | `executor_size` | how large executors are, and how many there can be |
//! | `ending` | how an executor ended, and whose doing it was |
//!
//! What must be done outside comes out as actions, which a shell carries out.

pub mod ending;
pub mod executor_size;
pub mod manager;
pub mod mesos;
pub mod processes;
pub mod roster;
pub mod threads;
