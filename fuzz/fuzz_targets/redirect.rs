#![no_main]
//! The `Location` of a redirect.

use libfuzzer_sys::fuzz_target;
use mesquite_fuzz::hostile;

fuzz_target!(|location: &str| hostile::redirect(location));
