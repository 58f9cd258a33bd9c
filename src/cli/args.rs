//! What can be typed.
//!
//! Responsible for the names, values and help of commands and options. What
//! they mean for the settings is [`settings`](super::settings)'s business. Not
//! printable by `{:?}`: what is typed may hold secrets.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

/// Runs batch jobs on Apache Mesos, scheduled the way Spark does
#[derive(Parser)]
#[command(name = "mesquite", version, arg_required_else_help = true)]
#[command(after_help = "\
Exit codes: 0 success, 1 failed, 2 bad usage, job file or property, 3 no master or
registration refused, 4 framework removed, 130 interrupted.
MESQUITE_LOG sets what is logged, as in mesquite=debug; NO_COLOR turns colours off.")]
pub struct Args {
    /// How much to log.
    #[command(flatten)]
    pub verbosity: Verbosity,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Registers with a Mesos master, shows what it offers and leaves
    ///
    /// Nothing is launched; all offers are declined. Exits with 1 if nothing
    /// could run on what is offered, with 3 if no master lets us register.
    Check(SettingsArgs),
    /// Runs the jobs of a job file
    ///
    /// Results of `count` and `collect` go to stdout, all else to stderr.
    /// Ctrl-C cancels the jobs; a second one ends at once.
    Run(RunArgs),
    /// Shows what a job file would do, and runs nothing
    ///
    /// Its datasets with the sizes of their inputs, jobs, stages and tasks, what is
    /// computed more than once, and what is never used. Mistakes exit with 2.
    Plan(PlanArgs),
    /// Shows what ran, out of event logs: pages, and Spark's API
    ///
    /// Serves the applications whose logs are in a folder until Ctrl-C, and prints the
    /// address. Logs of Spark can be there as well.
    History(HistoryArgs),
    /// Prints what the commands of an attempt at a task wrote to stderr
    ///
    /// As long as its run lasts: that is asked, by its pages. Exits with 1 if the run, the
    /// attempt or its executor is gone, or if it wrote nothing.
    Logs(LogsArgs),
    /// Shows a run in the terminal: its stages, executors, and what it told last
    ///
    /// Asks the pages of a run, or a history, or any application of Spark; on a terminal
    /// again and again until `q` is pressed, otherwise once.
    Top(TopArgs),
    /// Prints the JSON schema of job files, for editors
    Schema,
    /// Prints what a shell needs to complete commands and options
    Completions(CompletionsArgs),
    /// Prints the manual page of mesquite, or of one of its commands
    Man(ManArgs),
    /// What agents run; not for people
    #[command(hide = true)]
    Executor,
    /// Lists properties: type, unit, default and meaning
    Conf(ConfArgs),
}

/// How much is told on stderr.
#[derive(Clone, Copy, Default, clap::Args)]
pub struct Verbosity {
    /// Tell more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Tell only what is wrong: no progress, no summary, no stderr of commands, no failed
    /// attempts (the error of a job has them); twice for errors only
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub quiet: u8,
}

/// Options that set properties; every command that runs something has them.
#[derive(Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsArgs {
    /// Where to run, such as mesos://host:5050 or zk://h1,h2/mesos
    #[arg(long, value_name = "URL")]
    pub master: Option<String>,
    /// The application's name
    #[arg(long)]
    pub name: Option<String>,
    /// Sets a property; may be repeated
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub conf: Vec<Assignment>,
    /// Sets the properties in a file, which is written as spark-defaults.conf
    #[arg(long, value_name = "FILE")]
    pub properties_file: Option<PathBuf>,
}

/// A job file and the parameters that it is read with.
#[derive(Default, clap::Args)]
pub struct JobArgs {
    /// The job file; `-` for standard input
    #[arg(value_name = "JOB.toml")]
    pub job: PathBuf,
    /// Gives a parameter of the job file a value; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<Assignment>,
}

/// `mesquite run`.
#[derive(Default, clap::Args)]
pub struct RunArgs {
    /// What to run.
    #[command(flatten)]
    pub job: JobArgs,
    /// Prints a summary for programs as the last line of stdout
    #[arg(long)]
    pub json: bool,
    /// Where to run, and how.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// `mesquite plan`.
#[derive(Default, clap::Args)]
pub struct PlanArgs {
    /// What to look at.
    #[command(flatten)]
    pub job: JobArgs,
    /// Says nothing but mistakes and warnings
    #[arg(long, conflicts_with_all = ["json", "dot"])]
    pub check: bool,
    /// For programs
    #[arg(long, conflicts_with = "dot")]
    pub json: bool,
    /// As a drawing for Graphviz
    #[arg(long)]
    pub dot: bool,
    /// With which settings.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// `mesquite history`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct HistoryArgs {
    /// The folder of event logs, or its URL in an object store (s3://bucket/logs)
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The port; 0 for a free one
    #[arg(long, default_value_t = 18080)]
    pub port: u16,
    /// The address to listen on; only users of this machine reach the default
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Something else to do with logs.
    #[command(subcommand)]
    pub command: Option<HistoryCommand>,
}

/// What else `mesquite history` does.
#[derive(Subcommand)]
pub enum HistoryCommand {
    /// Writes all of an application into one file that needs no server
    Export(ExportArgs),
}

/// `mesquite history export`.
#[derive(clap::Args)]
pub struct ExportArgs {
    /// The application: its log, or its id
    #[arg(value_name = "APP")]
    pub app: String,
    /// The file to write
    #[arg(value_name = "FILE.html")]
    pub file: PathBuf,
    /// Where the log of an id is
    #[arg(long, value_name = "DIR", default_value = "/tmp/spark-events")]
    pub dir: PathBuf,
}

/// `mesquite logs`.
#[derive(clap::Args)]
pub struct LogsArgs {
    /// The run: the id of its application
    #[arg(value_name = "APP")]
    pub app: String,
    /// The attempt: its number, as on the pages; or STAGE.PARTITION, and .ATTEMPT
    #[arg(value_name = "TASK")]
    pub task: String,
    /// Where the pages of the run are; looked for on this machine if it is not said
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// A file with the password of the pages
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// `mesquite top`.
#[derive(clap::Args)]
pub struct TopArgs {
    /// Where its pages are, http://127.0.0.1:4040 if it is not said; or a folder of event
    /// logs
    #[arg(value_name = "URL|DIR")]
    pub whom: Option<String>,
    /// The id of the application, where there are several; otherwise the one that began
    /// last of those that run
    #[arg(long, value_name = "ID")]
    pub app: Option<String>,
    /// A file with the password of the pages
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Show it once, also on a terminal
    #[arg(long)]
    pub once: bool,
}

/// `mesquite completions`.
#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: CompletedShell,
}

/// A shell that can complete.
#[derive(Clone, Copy, ValueEnum)]
pub enum CompletedShell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// `mesquite man`.
#[derive(clap::Args)]
pub struct ManArgs {
    /// A command, such as run
    #[arg(value_name = "COMMAND")]
    pub of: Option<String>,
}

/// `mesquite conf`.
#[derive(Default, clap::Args)]
pub struct ConfArgs {
    /// Only those with this text in their name or meaning
    pub text: Option<String>,
    /// As a document in Markdown
    #[arg(long, conflicts_with_all = ["text", "master", "name", "conf", "properties_file"])]
    pub markdown: bool,
    /// If any is given, it is checked, and values in effect are shown too.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// `KEY=VALUE`.
#[derive(Clone)]
pub struct Assignment {
    /// The property's name.
    pub name: String,
    /// All that follows the first `=`.
    pub value: String,
}

impl FromStr for Assignment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok(Self {
                name: name.trim().to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("write a name, `=` and a value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn conf_args(words: &[&str]) -> Option<ConfArgs> {
        let words = ["mesquite"].iter().chain(words);
        match Args::try_parse_from(words).ok()?.command {
            Command::Conf(args) => Some(args),
            _ => None,
        }
    }

    #[test]
    fn the_declaration_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_value_may_hold_an_equals_sign_and_options_repeat() {
        let args = conf_args(&[
            "conf", "--conf", "a=b=c", "-c", " d = ", "--master", "local",
        ])
        .expect("good arguments");
        let conf: Vec<_> = args
            .settings
            .conf
            .iter()
            .map(|set| (set.name.as_str(), set.value.as_str()))
            .collect();
        assert_eq!(conf, [("a", "b=c"), ("d", " ")]);
        assert_eq!(args.settings.master.as_deref(), Some("local"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for words in [
            &["conf", "--conf", "novalue"][..],
            &["conf", "--conf", "=x"],
            &["conf", "--markdown", "text"],
            &["conf", "-q", "-v"],
            &["conf", "a", "b"],
            &["run"],
            &[],
        ] {
            assert!(conf_args(words).is_none(), "{words:?}");
        }
    }
}
