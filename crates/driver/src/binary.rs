//! Our own binary, for agents that lack it.
//!
//! Responsible for knowing the running program and for the shell command that
//! starts it on an agent: from the same path if the same binary is there, else
//! fetched and checked by its digest. Who serves it is [`served`](super::served)'s
//! business.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::conf::Conf;
use crate::conf::properties::mesos::{EXECUTOR_HOME, EXECUTOR_URI};
use crate::hex::hex;

/// The program that runs, whatever becomes of its path.
const RUNNING: &str = "/proc/self/exe";

/// So many bytes are read at once.
const PIECE: usize = 128 * 1024;

/// The program and its SHA-256. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Binary {
    path: PathBuf,
    digest: String,
    /// Open for as long as it is needed: what is served is what has the digest.
    file: Arc<File>,
    length: u64,
}

impl Binary {
    /// The program that runs.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn own() -> io::Result<Self> {
        let path = std::env::current_exe()?;
        let file = File::open(RUNNING).or_else(|_| File::open(&path))?;
        Self::of(file, &path)
    }

    fn of(file: File, path: &Path) -> io::Result<Self> {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        let mut length = 0;
        let mut piece = vec![0; PIECE];
        loop {
            match (&file).read(&mut piece)? {
                0 => break,
                count => {
                    digest.update(&piece[..count]);
                    length += count as u64;
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            digest: hex(digest.finish().as_ref()),
            file: Arc::new(file),
            length,
        })
    }

    /// Whether agents may have to fetch it from the driver.
    pub(super) fn is_fetched(conf: &Conf) -> bool {
        conf.get(&EXECUTOR_HOME).is_none() && conf.get(&EXECUTOR_URI).is_none()
    }

    /// Its SHA-256, in hexadecimal digits.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// A name for it that no other one has.
    pub(super) fn name(&self) -> String {
        format!("mesquite-{}", &self.digest[..16])
    }

    /// Its bytes.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// The next bytes of it from a place on; none at its end. Blocks.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn piece(&self, at: u64) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut piece = vec![0; left.min(PIECE)];
        self.file.read_exact_at(&mut piece, at)?;
        Ok(piece)
    }

    /// The shell command that starts an executor, with the program from `url`
    /// where it is not there already.
    pub(super) fn command(&self, url: &str) -> String {
        let (path, digest) = (quoted(&self.path.to_string_lossy()), &self.digest);
        let name = self.name();
        let url = quoted(url);
        // Whoever serves it may be busy with others the first time.
        format!(
            "same() {{ [ -x \"$1\" ] && [ \"$(sha256sum < \"$1\")\" = '{digest}  -' ]; }}; \
             if same {path}; then exec {path} executor; fi; \
             f=./{name}; \
             get() {{ curl -fsS -o $f {url} || wget -q -O $f {url}; }}; \
             {{ get || {{ sleep 1; get; }}; }} && chmod 700 $f || {{ \
             echo cannot fetch mesquite from {url}: curl or wget is needed, and a way to there >&2; \
             exit 1; }}; \
             if same $f; then exec $f executor; fi; \
             echo what is at {url} is not the mesquite that the driver runs >&2; \
             exit 1"
        )
    }
}

/// For the shell, as one word.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_path_has_in_it_is_one_word_of_the_shell() {
        for text in ["plain", "it's", "'; touch stolen; '", "a b\n$(id)`id`\\"] {
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &format!("printf %s {}", quoted(text))])
                .output()
                .expect("a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), text);
        }
    }

    #[test]
    fn an_agent_runs_what_it_fetched_only_if_the_digest_is_right() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("a program");
        std::fs::write(&program, "#!/bin/sh\necho ran $1\n").expect("written");
        let file = File::open(&program).expect("readable");
        let binary = Binary::of(file, &folder.path().join("is not here")).expect("readable");
        let other = Binary {
            digest: "0".repeat(64),
            ..binary.clone()
        };
        let run = |binary: &Binary, url: &str| {
            let command = binary.command(url);
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &command])
                .current_dir(folder.path())
                .output()
                .expect("a shell");
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        };
        // curl reads files too; an agent with wget alone is given http.
        if std::process::Command::new("curl")
            .arg("-V")
            .output()
            .is_err()
        {
            return;
        }
        let url = format!("file://{}/a%20program", folder.path().display());
        assert_eq!(run(&binary, &url), "ran executor\n");
        let said = run(&other, &url);
        assert!(said.contains("is not the mesquite"), "{said}");
    }

    #[test]
    fn a_path_is_one_word_to_the_shell() {
        assert_eq!(quoted("a b'c"), "'a b'\\''c'");
    }

    #[test]
    fn what_is_served_is_what_was_digested_also_when_another_takes_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("program");
        let bytes: Vec<u8> = (0..PIECE + 7).map(|it| it as u8).collect();
        std::fs::write(&path, &bytes).expect("written");
        let binary = Binary::of(File::open(&path).expect("there"), &path).expect("readable");
        let next = folder.path().join("next");
        std::fs::write(&next, "another").expect("written");
        std::fs::rename(&next, &path).expect("moved");
        let mut read = Vec::new();
        while (read.len() as u64) < binary.length() {
            read.extend(binary.piece(read.len() as u64).expect("readable"));
        }
        assert_eq!(read, bytes);
        assert!(binary.piece(binary.length()).expect("its end").is_empty());
    }
}
