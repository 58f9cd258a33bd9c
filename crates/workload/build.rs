//! Turns the schemas under `proto/mesquite` into Rust types, with cargo alone: `protox`
//! compiles them, so that no `protoc` is needed.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../proto/mesquite");
    let ours = protox::compile(["mesquite/v1/rpc.proto"], ["../../proto"])?;
    prost_build::Config::new()
        .bytes(["."])
        .btree_map(["."])
        // What is secret is never printed: `rpc::credential` says how they look.
        .skip_debug(["mesquite.v1.Credential"])
        .compile_fds(ours)?;
    Ok(())
}
