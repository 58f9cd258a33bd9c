#![no_main]
//! Lines of the journal of a run.

use libfuzzer_sys::fuzz_target;
use mesquite_fuzz::hostile_run;

fuzz_target!(|lines: &[u8]| hostile_run::journal(lines));
