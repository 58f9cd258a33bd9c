//! Who holds the output of a command open.
//!
//! Responsible for the names of processes that are waited for, as far as this
//! user may know them.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::stat::fstat;
use nix::unistd::Pid;

/// So many are named.
const NAMED: usize = 3;

/// No more of a command line is told, in characters.
const LONGEST_NAME: usize = 60;

/// The processes that can write into what is read here, other than this one and
/// the command's own: `` `sleep 30` (process 17)``.
pub(super) fn of(pipe: &impl AsFd, command: Pid) -> String {
    let mut named = Vec::new();
    if let (Ok(read), Ok(processes)) = (fstat(pipe), fs::read_dir("/proc")) {
        let link = format!("pipe:[{}]", read.st_ino);
        let numbers = processes.flatten().filter_map(|it| {
            let number = it.file_name().to_str()?.parse::<u32>().ok()?;
            Some((number, it.path()))
        });
        let others = [std::process::id(), command.as_raw().unsigned_abs()];
        let holding = numbers.filter(|(number, _)| !others.contains(number));
        let holding = holding.filter(|(_, process)| holds(process, &link));
        named.extend(
            holding
                .take(NAMED)
                .map(|(number, process)| format!("`{}` (process {number})", name(&process))),
        );
    }
    if named.is_empty() {
        // It may have ended since, or be another user's.
        return "something".to_owned();
    }
    named.join(", ")
}

fn holds(process: &Path, link: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    let mut targets = files
        .flatten()
        .filter_map(|it| fs::read_link(it.path()).ok());
    targets.any(|it| it.as_os_str() == link)
}

fn name(process: &Path) -> String {
    let words = fs::read(process.join("cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).replace('\0', " ");
    words.trim_end().chars().take(LONGEST_NAME).collect()
}
