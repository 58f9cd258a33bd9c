//! The programs in `examples/`, built and run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// An example that was built as this test was.
pub fn example(name: &str) -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = BUILT.get_or_init(|| {
        let own = std::env::current_exe().expect("this test runs");
        // target/PROFILE/deps/TEST
        let profile = own.ancestors().nth(2).expect("a folder of the profile");
        let target = profile.parent().expect("a target folder");
        // Nothing is to be done where all of the tests are run.
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--offline", "--locked", "--examples"])
            .arg("--target-dir")
            .arg(target)
            .current_dir(root);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let built = cargo.status().expect("cargo runs");
        assert!(built.success(), "the examples cannot be built");
        profile.join("examples")
    });
    let mut command = Command::new(folder.join(name));
    command.current_dir(root).stdin(Stdio::null());
    command
}

/// What a program printed, if it succeeded.
pub fn printed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the program runs");
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}\n{stderr}");
    String::from_utf8(stdout).expect("text")
}
