#![no_main]
//! A record of the event stream in protobuf.

use libfuzzer_sys::fuzz_target;
use mesquite::mesos::codec::Codec;
use mesquite_fuzz::hostile;

fuzz_target!(|record: &[u8]| hostile::event(Codec::Protobuf, record));
