//! Job files run by the binary, and what became of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The examples, each with whether it saves something.
pub const EXAMPLES: [&str; 8] = [
    "wordcount",
    "loganalysis",
    "array",
    "bigsort",
    "pools",
    "sweep",
    "pagerank",
    "shipped",
];

/// A job with a folder of its own for what it saves.
pub struct Job {
    folder: TempDir,
    file: PathBuf,
}

/// How a job ended.
pub struct Ended {
    pub output: Output,
    /// What it saved or printed: lines, sorted, by file or `stdout`.
    pub results: BTreeMap<String, Vec<String>>,
}

impl Job {
    /// One of the examples.
    pub fn example(name: &str) -> Self {
        let path = root().join("examples").join(format!("{name}.toml"));
        let job = Self::new(&fs::read_to_string(&path).expect("an example"));
        // What it brings along.
        for file in fs::read_dir(path.with_extension("")).into_iter().flatten() {
            let from = file.expect("a file").path();
            let folder = job.folder.path().join(name);
            fs::create_dir_all(&folder).expect("made");
            let to = folder.join(from.file_name().expect("a name"));
            fs::copy(from, to).expect("copied");
        }
        job
    }

    /// The text of a job file; `target/examples` stands for its folder,
    /// `target/small` for another one that the test makes.
    pub fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("job.toml");
        let own = folder.path().join("out");
        let small = folder.path().join("small");
        let text = text.replace("target/examples", own.to_str().expect("text"));
        let text = text.replace("target/small", small.to_str().expect("text"));
        fs::write(&file, text).expect("written");
        Self { folder, file }
    }

    /// Where the job file is, its work folders, and whatever a test puts there.
    #[allow(dead_code, reason = "not every test looks there")]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The job that is written, to be started as the test likes.
    #[allow(dead_code, reason = "not every test starts one by itself")]
    pub fn command_in(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.current_dir(folder);
        command
    }

    /// Where it saves to.
    pub fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .arg("run")
            .arg(&self.file)
            // Ports are few, and tests many.
            .args(["--conf", "spark.ui.enabled=false"])
            .args(arguments)
            .current_dir(root())
            .env("TMPDIR", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the binary runs")
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.ended(self.command(arguments).output().expect("the binary runs"))
    }

    /// What became of it.
    pub fn ended(&self, output: Output) -> Ended {
        let mut results = BTreeMap::new();
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let stdout = String::from_utf8_lossy(&output.stdout);
        // The summary for programs differs from run to run.
        let printed: String = stdout
            .lines()
            .filter(|line| !line.starts_with("{\"app_id\""))
            .map(|line| format!("{line}\n"))
            .collect();
        results.insert("stdout".to_owned(), sorted(&printed));
        for saved in fs::read_dir(self.out()).into_iter().flatten().flatten() {
            for part in fs::read_dir(saved.path()).into_iter().flatten().flatten() {
                let name = format!(
                    "{}/{}",
                    saved.file_name().to_string_lossy(),
                    part.file_name().to_string_lossy()
                );
                let text = fs::read(part.path()).unwrap_or_default();
                results.insert(name, sorted(&String::from_utf8_lossy(&text)));
            }
        }
        Ended { output, results }
    }
}

impl Ended {
    /// What it wrote to stderr.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Its exit code.
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// The summary that `--json` prints as the last line.
    pub fn summary(&self) -> Value {
        let stdout = String::from_utf8_lossy(&self.output.stdout);
        let last = stdout.lines().last().expect("a last line");
        serde_json::from_str(last).expect("JSON")
    }

    /// Fails the test unless it succeeded.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code(), Some(0), "{}", self.stderr());
        self
    }
}

/// The binary that jobs are run with: another one than was built with these tests
/// where speed and memory are to be those of a release.
fn binary() -> PathBuf {
    let built = || env!("CARGO_BIN_EXE_mesquite").into();
    std::env::var_os("MESQUITE_TEST_BINARY").map_or_else(built, PathBuf::from)
}

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The word count of the example, as coreutils and awk make it.
pub fn words_by_coreutils() -> Vec<String> {
    let script = "cat $(find docs -name '*.md'; find src -name '*.rs') README.md \
        | tr -cs '[:alpha:]' '\\n' | tr '[:upper:]' '[:lower:]' | grep . | sort | uniq -c \
        | awk '{ print $2 \"\\t\" $1 }' | sort";
    let output = Command::new("/bin/sh")
        .args(["-c", script])
        .env("LC_ALL", "C")
        .current_dir(root())
        .output()
        .expect("coreutils run");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

/// All lines of the files that were saved as `name`.
pub fn saved(results: &BTreeMap<String, Vec<String>>, name: &str) -> Vec<String> {
    let prefix = format!("{name}/part-");
    let parts = results.iter().filter(|(file, _)| file.starts_with(&prefix));
    let mut lines: Vec<_> = parts.flat_map(|(_, lines)| lines.clone()).collect();
    lines.sort();
    lines
}
