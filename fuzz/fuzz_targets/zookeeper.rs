#![no_main]
//! What stands in ZooKeeper.

use libfuzzer_sys::fuzz_target;
use mesquite_fuzz::hostile;

fuzz_target!(|content: &[u8]| hostile::zookeeper(content));
