#![no_main]
//! A job file.

use libfuzzer_sys::fuzz_target;
use mesquite_fuzz::hostile_files;

fuzz_target!(|text: &str| hostile_files::job_file(text));
