//! The driver: runs an application's jobs to their end.
//!
//! Responsible for the loop that owns the scheduling core and a backend: it
//! waits, feeds them what happened and carries out what they say. It decides
//! nothing about where and when tasks run.

mod binary;
pub mod board;
pub mod cluster;
mod event_loop;
pub mod fine;
mod framework;
pub mod input;
mod mesos;
mod office;
pub mod outcome;
mod processes;
pub mod report;
pub mod run;
mod server;
mod threads;
pub mod work;
