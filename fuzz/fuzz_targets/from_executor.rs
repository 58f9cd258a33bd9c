#![no_main]
//! What executors say.

use libfuzzer_sys::fuzz_target;
use mesquite_fuzz::hostile_run;

fuzz_target!(|message: &[u8]| hostile_run::from_executor(message));
