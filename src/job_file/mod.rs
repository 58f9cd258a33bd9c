//! Job files: what people write, read into an application.
//!
//! Responsible for the TOML of `mesquite run`: its tables, what each field may
//! be, and every mistake in it, all at once, before anything runs. Reads no file
//! itself: which files a `text` dataset has is found out by whoever holds the job
//! file ([`JobFile::inputs`]), and included ones are read as it is told ([`Given`]).
//!
//! | file | what |
//! | --- | --- |
//! | `dataset` | one `[dataset.NAME]` table |
//! | `action` | one `[[action]]` table |
//! | `around` | what commands find around them |
//! | `fields` | typed fields and unknown names |
//! | `include`, `texts` | the files of a run, and places in them |
//! | `params`, `references`, `expand` | what `${...}` stands for, and where it is looked for |
//! | `paths` | what relative paths begin at |
//! | `schema` | all that can be written, for editors |
//! | `problem` | mistakes, as people read them |
//! | `assemble` | names become ids |
//! | `items` | whose items may be left out |
//! | `circles` | an order in which datasets can be built |
//! | `rounds` | what is made in each round of a loop |
//! | `places` | folders that two actions, or an action and an input, share |

mod action;
mod around;
mod assemble;
mod circles;
mod dataset;
mod expand;
pub(crate) mod fields;
mod include;
mod items;
mod needs;
mod params;
mod paths;
pub mod places;
mod problem;
mod references;
mod rounds;
pub mod schema;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::action::ActionSpec;
use self::dataset::{DatasetSpec, OperationSpec, SourceSpec};
use self::expand::expanded;
use self::fields::{Asked, Fields, Problems, wrong_type};
use self::include::Files;
use self::params::Params;
use self::problem::Lines;
use self::rounds::Bodies;
use crate::plan::PlacedSplit;
use crate::plan::application::{ActionKind, Application};
pub use around::BroughtFile;
pub use dataset::{Input, TextInput};
pub use needs::NeedsSpec;
pub(crate) use problem::of_toml;
pub use problem::{Problem, show};
pub use texts::Texts;

/// A property that `[conf]` sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfSetting {
    /// The property.
    pub name: String,
    /// Its value, as text.
    pub value: String,
    /// The line of the setting, counted from 1.
    pub line: usize,
    /// Where its name stands.
    pub span: Range<usize>,
}

/// What a job file is read with: all that does not stand in it.
#[derive(Clone, Copy)]
pub struct Given<'g> {
    /// What messages call it.
    pub name: &'g str,
    /// Its path; none for a text that lies nowhere.
    pub file: Option<&'g Path>,
    /// What `--set` gives.
    pub set: &'g [(String, String)],
    /// The variables that `${env:NAME}` stands for.
    pub environment: &'g BTreeMap<String, String>,
    /// Reads a file that another one includes.
    pub read: &'g dyn Fn(&Path) -> io::Result<String>,
    /// A path with its links followed, as far as that can be.
    pub real: &'g dyn Fn(&Path) -> PathBuf,
}

/// For a text that has nothing but itself.
const ALONE: Given<'static> = Given {
    name: "the job file",
    file: None,
    set: &[],
    environment: &BTreeMap::new(),
    read: &|_| Err(io::Error::other("the text stands alone")),
    real: &Path::to_path_buf,
};

/// A job file without mistakes of its own, and what it includes.
#[derive(Debug)]
pub struct JobFile {
    name: Option<String>,
    conf: Vec<ConfSetting>,
    datasets: BTreeMap<String, DatasetSpec>,
    actions: Vec<ActionSpec>,
    texts: Texts,
    warnings: Vec<Problem>,
}

/// A dataset as people wrote it.
#[derive(Clone, Debug)]
pub struct DatasetOf<'f> {
    /// Its name.
    pub name: &'f str,
    /// The word for what it does.
    pub word: &'static str,
    /// What it is made from.
    pub parents: Vec<&'f str>,
    /// Whether it says `persist = true`.
    pub is_persisted: bool,
    /// Whether it stands in a file that the one that is run includes.
    pub is_included: bool,
    /// Where its name stands.
    pub span: &'f Range<usize>,
}

impl JobFile {
    /// Reads the text of a job file that stands alone.
    ///
    /// # Errors
    /// All its mistakes.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        Self::read_with(text, ALONE).map_err(|(_, problems)| problems)
    }

    /// Reads the text of a job file and the files that it includes.
    ///
    /// # Errors
    /// All mistakes, and the texts that they are in.
    pub fn read_with(text: &str, given: Given<'_>) -> Result<Self, (Texts, Vec<Problem>)> {
        let mut problems = Problems::default();
        let file = Self::read_into(text, given, &mut problems);
        if problems.is_empty() {
            Ok(file)
        } else {
            Err((file.texts, problems.into_found()))
        }
    }

    /// Reads as much as can be read; mistakes are added to `problems`.
    fn read_into(text: &str, given: Given<'_>, problems: &mut Problems) -> Self {
        let Files { texts, folders } = include::files(text, given, problems);
        let mut warnings = Vec::new();
        let documents = documents(&texts, given, &mut warnings, problems);
        let mut file = Self {
            name: None,
            conf: Vec::new(),
            datasets: BTreeMap::new(),
            actions: Vec::new(),
            texts: texts.clone(),
            warnings,
        };
        for (index, (document, folder)) in documents.iter().zip(&folders).enumerate() {
            file.add(index, document, folder.as_deref(), problems);
        }
        // What cannot be taken apart says nothing of the rest.
        if !documents.is_empty() {
            assemble::check(&file, problems);
        }
        file
    }

    /// What readers ask for as they read a text, and its mistakes.
    fn asked(text: &str) -> (Asked, Vec<Problem>) {
        let mut problems = Problems::listening();
        Self::read_into(text, ALONE, &mut problems);
        problems.into_asked()
    }

    /// Reads the tables of one of the files; that of `index` 0 is the one that
    /// is run, and the others have datasets only.
    fn add(
        &mut self,
        index: usize,
        document: &DeTable<'_>,
        folder: Option<&Path>,
        problems: &mut Problems,
    ) {
        let is_run = index == 0;
        let what = if is_run {
            "the job file"
        } else {
            "an included file"
        };
        let begin = self.texts.iter().nth(index).map_or(0, |(_, begin)| begin);
        let mut fields = Fields::new(document, what, begin..begin);
        // Both were read before.
        fields.get("params");
        fields.get("include");
        let base = paths::base(&mut fields, folder, problems);
        if is_run {
            let text = self.texts.get(0).1;
            self.name = fields.text("name", problems).map(Spanned::into_inner);
            self.conf = conf(text, &mut fields, problems);
        }
        let mut of_file = around::read(&mut fields, problems);
        of_file.place(folder);
        of_file.check(&self.texts, problems);
        let mut datasets = datasets(&mut fields, problems);
        for spec in datasets.values_mut() {
            spec.around.place(folder);
            spec.around.check(&self.texts, problems);
        }
        let commands = datasets.values_mut();
        let commands = commands.filter(|it| it.operation.runs_command());
        let arounds = commands.map(|it| &mut it.around);
        around::add_of_file(&of_file, &fields, arounds, &self.texts, problems);
        for spec in datasets.values_mut() {
            if let OperationSpec::Source(SourceSpec::Text(input)) = &mut spec.operation {
                place_inputs(input, base, problems);
            }
            if let Some(skip) = &mut spec.skip
                && let Some(to) = &mut skip.skip.failed
            {
                place_folder(to, &skip.failed_span, base, problems);
            }
        }
        self.take(datasets, problems);
        if is_run {
            self.actions = actions(&mut fields, problems);
            for action in &mut self.actions {
                place_output(action, base, problems);
            }
        } else {
            for (name, place) in fields.present(&["name", "conf", "action"]) {
                fields.get(name);
                let message = format!("`{name}` is of no use in a file that others include");
                let help = "it belongs into the file that is run";
                problems.push(Problem::new(place, message).help(help));
            }
        }
        fields.done(problems);
    }

    /// Takes the datasets of another file.
    fn take(&mut self, datasets: BTreeMap<String, DatasetSpec>, problems: &mut Problems) {
        for (name, spec) in datasets {
            if let Some(before) = self.datasets.get(&name) {
                let message = format!("dataset `{name}` is there twice");
                let place = self.texts.place(before.span.start);
                let help = format!("it is in {place} already, and all files share their datasets");
                problems.push(Problem::new(spec.span, message).help(help));
            } else {
                self.datasets.insert(name, spec);
            }
        }
    }

    /// All datasets, by name.
    pub fn datasets(&self) -> impl Iterator<Item = DatasetOf<'_>> {
        self.datasets.keys().filter_map(|name| self.dataset(name))
    }

    /// A dataset.
    pub fn dataset(&self, name: &str) -> Option<DatasetOf<'_>> {
        let (name, spec) = self.datasets.get_key_value(name)?;
        let parents = spec.operation.parents().into_iter();
        Some(DatasetOf {
            name,
            word: spec.word,
            parents: parents.map(|it| it.get_ref().as_str()).collect(),
            is_persisted: spec.persist,
            is_included: spec.span.start > self.texts.get(0).1.len(),
            span: &spec.span,
        })
    }

    /// The datasets that are made in rounds of a loop and nowhere else.
    pub fn only_in_rounds(&self) -> BTreeSet<&str> {
        let bodies = Bodies::of(self);
        let names = self.datasets.keys().map(String::as_str);
        names.filter(|it| bodies.is_only_in_rounds(it)).collect()
    }

    /// Mistakes as people read them.
    pub fn show(&self, problems: &[Problem]) -> Vec<String> {
        self.texts.show(problems)
    }

    /// A place as messages have it: file and line.
    pub fn place(&self, span: &Range<usize>) -> String {
        self.texts.place(span.start)
    }

    /// What is no mistake and yet hardly meant, each with its place.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The properties of `[conf]`.
    pub fn conf(&self) -> &[ConfSetting] {
        &self.conf
    }

    /// The application's name, if the file gives one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The `text` datasets and what they read.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &TextInput)> {
        self.datasets
            .iter()
            .filter_map(|(name, spec)| match &spec.operation {
                OperationSpec::Source(SourceSpec::Text(input)) => Some((name.as_str(), input)),
                OperationSpec::Source(SourceSpec::Range { .. } | SourceSpec::Items(_))
                | OperationSpec::Union(_)
                | OperationSpec::Derived(..) => None,
            })
    }

    /// The files that are brought to executors, each once for every dataset whose command
    /// finds it.
    pub fn brought(&self) -> impl Iterator<Item = BroughtFile<'_>> {
        self.datasets.values().flat_map(|it| it.around.brought())
    }

    /// What the tasks of datasets need, where that is said, with their names.
    pub fn needs(&self) -> impl Iterator<Item = (&str, &NeedsSpec)> {
        let all = self.datasets.iter();
        all.filter_map(|(name, spec)| Some((name.as_str(), spec.needs.as_ref()?)))
    }

    /// The folders that are saved to, as they are written, and where each stands.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &Range<usize>)> {
        self.actions.iter().filter_map(|action| match &action.kind {
            ActionKind::Save { to, .. } => Some((to.as_str(), action.to.as_ref()?)),
            ActionKind::Collect { .. } | ActionKind::Count => None,
        })
    }

    /// The pools that actions name, and where each stands.
    pub fn pools(&self) -> impl Iterator<Item = (&str, &Range<usize>)> {
        let pools = self.actions.iter().filter_map(|it| it.pool.as_ref());
        pools.map(|(pool, span)| (pool.as_str(), span))
    }

    /// The application, with the splits of each `text` dataset. Shuffles have so many
    /// partitions, if that is said, and tasks so many cores, unless datasets say otherwise.
    ///
    /// # Errors
    /// What only shows when partitions are counted.
    pub fn application(
        &self,
        splits: BTreeMap<String, Vec<PlacedSplit>>,
        default_parallelism: Option<u32>,
        task_cpus: u32,
    ) -> Result<Application, Problem> {
        assemble::assemble(self, splits, (default_parallelism, task_cpus))
    }
}

/// The trees of all files with the values of parameters put in; none at all if
/// one of them is no TOML.
fn documents<'t>(
    texts: &'t Texts,
    given: Given<'_>,
    warnings: &mut Vec<Problem>,
    problems: &mut Problems,
) -> Vec<DeTable<'t>> {
    let mut parsed = Vec::new();
    let mut are_sound = true;
    for (text, begin) in texts.iter() {
        let (document, errors) = DeTable::parse_recoverable(text);
        are_sound &= errors.is_empty();
        problems.extend(of_toml(text, &errors).into_iter().map(|problem| Problem {
            span: params::moved(&problem.span, begin),
            ..problem
        }));
        parsed.push((document.into_inner(), begin));
    }
    if !are_sound {
        return Vec::new();
    }
    let mut params = Params::new(given, texts);
    for (document, begin) in &parsed {
        params.declare(document, *begin, problems);
    }
    params.resolve(problems);
    let mut documents = Vec::new();
    for (document, begin) in parsed {
        documents.push(expanded(document, begin, &mut params, problems));
    }
    params.unused(problems, warnings);
    documents
}

/// Makes the paths of a `text` dataset begin at `base`.
fn place_inputs(input: &mut TextInput, base: Option<&Path>, problems: &mut Problems) {
    for entry in &mut input.entries {
        if let Some((message, help)) = paths::home(&entry.path) {
            problems.push(Problem::new(entry.span.clone(), message).help(help));
        } else if let Some(placed) = paths::placed(&entry.path, base, true) {
            entry.path = placed;
        }
    }
}

/// Makes the folder of a `save` begin at `base`.
fn place_output(action: &mut ActionSpec, base: Option<&Path>, problems: &mut Problems) {
    if let (ActionKind::Save { to, .. }, Some(span)) = (&mut action.kind, &action.to) {
        place_folder(to, span, base, problems);
    }
}

/// Makes a folder that is written to begin at `base`.
fn place_folder(
    to: &mut String,
    span: &Range<usize>,
    base: Option<&Path>,
    problems: &mut Problems,
) {
    if let Some((message, help)) = paths::home(to) {
        problems.push(Problem::new(span.clone(), message).help(help));
    } else if let Some(placed) = paths::placed(to, base, false) {
        *to = placed;
    }
}

fn conf<'a>(text: &str, fields: &mut Fields<'a>, problems: &mut Problems) -> Vec<ConfSetting> {
    let Some(node) = fields.get("conf") else {
        return Vec::new();
    };
    let DeValue::Table(table) = node.get_ref() else {
        problems.push(wrong_type(node, "`conf`", "a table", node.get_ref()));
        return Vec::new();
    };
    let mut settings = Vec::new();
    settings_of(&Lines::of(text), table, "", &mut settings, problems);
    settings
}

/// `spark.task.cpus = 1` without quotes around the name is a table within
/// tables: the name is put together again.
fn settings_of(
    lines: &Lines,
    table: &DeTable<'_>,
    prefix: &str,
    settings: &mut Vec<ConfSetting>,
    problems: &mut Problems,
) {
    for (key, node) in table {
        let name = format!("{prefix}{}", key.get_ref());
        let value = match node.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Integer(number) => number.as_str().replace('_', ""),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Table(inner) => {
                settings_of(lines, inner, &format!("{name}."), settings, problems);
                continue;
            }
            other => {
                let wanted = "text, a number or true or false";
                let what = format!("property `{name}`");
                problems.push(wrong_type(node, &what, wanted, other));
                continue;
            }
        };
        let line = lines.number(key.span().start);
        let span = key.span();
        settings.push(ConfSetting {
            name,
            value,
            line,
            span,
        });
    }
}

fn datasets<'a>(fields: &mut Fields<'a>, problems: &mut Problems) -> BTreeMap<String, DatasetSpec> {
    let mut datasets = BTreeMap::new();
    let Some(node) = fields.get("dataset") else {
        return datasets;
    };
    let DeValue::Table(tables) = node.get_ref() else {
        problems.push(wrong_type(
            node,
            "`dataset`",
            "a table of datasets",
            node.get_ref(),
        ));
        return datasets;
    };
    for (name, node) in tables {
        let spec = DatasetSpec::read(name.get_ref(), name.span(), node, problems);
        if let Some(spec) = spec {
            datasets.insert(name.get_ref().clone().into_owned(), spec);
        }
    }
    datasets
}

fn actions<'a>(fields: &mut Fields<'a>, problems: &mut Problems) -> Vec<ActionSpec> {
    let Some(node) = fields.get("action") else {
        let nothing = "the job file asks for nothing";
        let help = "add an `[[action]]` with `save`, `collect` or `count`";
        problems.push(Problem::new(0..0, nothing).help(help));
        return Vec::new();
    };
    let DeValue::Array(list) = node.get_ref() else {
        let problem = wrong_type(node, "`action`", "a list", node.get_ref());
        problems.push(problem.help("write `[[action]]`, with two brackets"));
        return Vec::new();
    };
    list.iter()
        .filter_map(|node| ActionSpec::read(node, problems))
        .collect()
}
