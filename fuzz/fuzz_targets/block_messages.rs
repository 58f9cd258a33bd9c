#![no_main]
//! Questions for blocks, and what stands before each in an answer.

use libfuzzer_sys::fuzz_target;
use mesquite_fuzz::hostile_run;

fuzz_target!(|bytes: &[u8]| hostile_run::block_messages(bytes));
