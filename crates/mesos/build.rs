//! Turns the schemas under `proto/mesos` into Rust types, with cargo alone: `protox`
//! compiles them, so that no `protoc` is needed. Writes the descriptors too,
//! from which the JSON form of a message is derived.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how cargo talks to build scripts"
    )]
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=../../proto/mesos");
    let descriptors = protox::compile(
        ["mesos/v1/scheduler.proto", "mesos/v1/executor.proto"],
        ["../../proto"],
    )?;
    fs::write(out.join("mesos.bin"), descriptors.encode_to_vec())?;
    prost_build::Config::new()
        .bytes(["."])
        .btree_map(["."])
        .enable_type_names()
        // Large and rare, within a message that is small and comes in masses.
        .boxed(".mesos.v1.Resource.disk")
        .compile_fds(descriptors)?;
    Ok(())
}
