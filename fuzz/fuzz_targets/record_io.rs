#![no_main]
//! The bytes of an event stream.

use libfuzzer_sys::fuzz_target;
use mesquite_fuzz::hostile;

fuzz_target!(|stream: &[u8]| hostile::record_io(stream));
