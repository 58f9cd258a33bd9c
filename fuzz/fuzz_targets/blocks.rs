#![no_main]
//! Blocks of map outputs and persisted partitions.

use libfuzzer_sys::fuzz_target;
use mesquite_fuzz::hostile_run;

fuzz_target!(|stored: &[u8]| hostile_run::blocks(stored));
