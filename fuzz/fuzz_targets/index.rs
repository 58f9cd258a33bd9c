#![no_main]
//! An index of a map output.

use libfuzzer_sys::fuzz_target;
use mesquite_fuzz::hostile_run;

fuzz_target!(|index: &[u8]| hostile_run::index(index));
