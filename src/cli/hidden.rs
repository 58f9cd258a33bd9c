//! Keeps the secrets of the environment from whoever looks at this process.
//!
//! Responsible for two things that are to be done before anything else. What other
//! processes of the same user may see of this one - its memory, what it has open -
//! becomes root's. And what it was started with, which stays in its memory as it was
//! for as long as it lives, is made to have no secrets: the process begins anew
//! without them, with the same id, and finds them in a pipe. Called by `main`
//! alone, of ours and of the user's programs.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::prctl;
use nix::unistd;

use super::Environment;
use crate::executor::worker::{SECRETS, variable::HANDED_OVER};

/// What a pipe holds that nobody reads yet.
const MOST: usize = 60 * 1024;

/// The environment of this process, with secrets that are nowhere else. To be asked
/// for before anything else is done.
pub fn environment() -> Environment {
    // What is not text cannot be a setting of ours.
    let all = std::env::vars_os();
    let texts =
        all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    hide(texts.collect(), std::env::args_os())
}

/// The environment, with secrets that are nowhere else.
///
/// Where the process cannot begin anew, all is as it was: commands are not given the
/// secrets then, but may find them.
fn hide(mut environment: Environment, arguments: impl Iterator<Item = OsString>) -> Environment {
    // A kernel that does not know it has nothing to hide behind.
    let _ = prctl::set_dumpable(false);
    if let Some(text) = environment.remove(HANDED_OVER)
        && let Some(pipe) = number_of(&text, std::process::id())
    {
        // It is told by what is missing.
        let _ = take(pipe, &mut environment);
        return environment;
    }
    let secrets = SECRETS
        .iter()
        .filter_map(|&it| Some((it, environment.get(it)?.as_str())));
    let secrets = encode(secrets);
    if !secrets.is_empty() && secrets.len() <= MOST {
        let _ = begin_anew(&secrets, arguments);
    }
    environment
}

/// Whose pipe it is comes first: a process that is started later by this one finds
/// the variable as well, and no pipe.
fn number_of(text: &str, process: u32) -> Option<RawFd> {
    let (whose, pipe) = text.split_once(':')?;
    (whose.parse() == Ok(process)).then(|| pipe.parse().ok())?
}

fn encode<'a>(secrets: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    // Neither names nor values have zeros.
    let texts = secrets.map(|(name, value)| format!("{name}={value}\0"));
    texts.collect::<String>().into_bytes()
}

fn decode(text: &str, environment: &mut Environment) {
    for one in text.split_terminator('\0') {
        if let Some((name, value)) = one.split_once('=') {
            environment.insert(name.to_owned(), value.to_owned());
        }
    }
}

fn path_of(pipe: RawFd) -> PathBuf {
    format!("/proc/self/fd/{pipe}").into()
}

fn take(pipe: RawFd, environment: &mut Environment) -> io::Result<()> {
    let opened = File::open(path_of(pipe));
    unistd::close(pipe)?;
    let mut text = String::new();
    opened?.read_to_string(&mut text)?;
    decode(&text, environment);
    Ok(())
}

/// Returns only if it fails.
fn begin_anew(secrets: &[u8], arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let (reads, writes) = unistd::pipe()?;
    File::open(path_of(reads.as_raw_fd()))?;
    File::from(writes).write_all(secrets)?;
    let pipe = reads.into_raw_fd();
    let arguments: Vec<_> = arguments.collect();
    // The second is there even if the file was replaced meanwhile.
    let own = std::env::current_exe().unwrap_or_default();
    for program in [own.as_path(), Path::new("/proc/self/exe")] {
        let mut anew = Command::new(program);
        if let Some((name, rest)) = arguments.split_first() {
            anew.arg0(name).args(rest);
        }
        for secret in SECRETS {
            anew.env_remove(secret);
        }
        let _ = anew
            .env(HANDED_OVER, format!("{}:{pipe}", std::process::id()))
            .exec();
    }
    Ok(unistd::close(pipe)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_arrives_and_the_pipe_is_closed() {
        let (reads, writes) = unistd::pipe().expect("a pipe");
        let secrets = [("A", "x=y\n"), ("B", "")];
        File::from(writes)
            .write_all(&encode(secrets.into_iter()))
            .expect("room");
        let pipe = reads.into_raw_fd();
        let mut environment = Environment::from([("C".to_owned(), "z".to_owned())]);
        take(pipe, &mut environment).expect("there");
        let found: Vec<_> = environment
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(found, [("A", "x=y\n"), ("B", ""), ("C", "z")]);
    }

    #[test]
    fn the_pipe_of_another_process_is_left_alone() {
        assert_eq!(number_of("17:3", 17), Some(3));
        for text in ["17:3", "18", ":", "18:x", ""] {
            assert_eq!(number_of(text, 18), None, "{text}");
        }
    }
}
