#![no_main]
//! A pools file, in both of its forms.

use libfuzzer_sys::fuzz_target;
use mesquite_fuzz::hostile_files;

fuzz_target!(|text: &str| hostile_files::pools_file(text));
