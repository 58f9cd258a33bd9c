//! What `count` and `collect` give, as it is printed. Pure.
//!
//! Responsible for saying which result is whose where there is more than one, and
//! for what programs are told of them at the end. `cli::run::screen` prints it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use crate::native;
use crate::plan::application::{ActionKind, Application};

/// See the module.
pub(super) struct Results {
    /// Of each action that is told, its name in front of its result.
    actions: BTreeMap<usize, Told>,
    /// Whether programs are told at the end.
    are_kept: bool,
    /// What they are told, by action.
    kept: BTreeMap<usize, Kept>,
}

struct Told {
    label: String,
    action: &'static str,
    name: Option<String>,
    dataset: String,
    to_stdout: bool,
}

/// A result as programs are told it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    action: &'static str,
    name: Option<String>,
    dataset: String,
    /// What was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// What was collected, unless it was printed alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<String>>,
}

impl Results {
    /// Those of an application; they are kept for programs if these want them.
    pub(super) fn of(application: &Application, are_kept: bool) -> Self {
        let told = application.actions.iter().enumerate();
        let told = told.filter(|(_, action)| action.kind.is_told());
        let actions = told.map(|(index, action)| {
            let dataset = application.plan.dataset(action.dataset).name().to_string();
            let name = action.name.as_deref().map(str::to_owned);
            let kind = action.kind.name();
            let label = name
                .clone()
                .unwrap_or_else(|| format!("{kind} of {dataset}"));
            let told = Told {
                label,
                action: kind,
                name,
                dataset,
                to_stdout: action.to_stdout,
            };
            (index, told)
        });
        Self {
            actions: actions.collect(),
            are_kept,
            kept: BTreeMap::new(),
        }
    }

    /// What is asked for and will be seen nowhere.
    /// `answers` are those that the application itself does something with.
    pub(super) fn unseen(
        application: &Application,
        are_kept: bool,
        answers: &native::Results,
    ) -> Vec<String> {
        let actions = application.actions.iter().enumerate();
        let unseen = actions.filter(|(index, action)| {
            let is_collect = matches!(action.kind, ActionKind::Collect { .. });
            is_collect && !action.to_stdout && !are_kept && !answers.are_wanted(*index)
        });
        let said = unseen.map(|(_, action)| {
            let dataset = application.plan.dataset(action.dataset).name();
            format!(
                "nobody sees what `collect` of `{dataset}` gives: with `to_stdout = false` it \
                 stands in the summary of --json alone"
            )
        });
        said.collect()
    }

    /// Whether results have to say whose they are.
    fn are_labelled(&self) -> bool {
        self.actions.values().filter(|it| it.to_stdout).count() > 1
    }

    /// What is printed of a count.
    pub(super) fn counted(&mut self, action: usize, records: u64) -> Vec<u8> {
        let are_labelled = self.are_labelled();
        let Some(told) = self.actions.get(&action) else {
            return Vec::new();
        };
        if self.are_kept {
            let count = Some(records);
            self.kept.insert(action, told.kept(count, None));
        }
        match (told.to_stdout, are_labelled) {
            (false, _) => Vec::new(),
            (true, false) => format!("{records}\n").into_bytes(),
            (true, true) => format!("{}: {records}\n", told.label).into_bytes(),
        }
    }

    /// What is printed before what was collected, and whether that is printed.
    pub(super) fn collected(&mut self, action: usize, records: &[Bytes]) -> (Vec<u8>, bool) {
        let are_labelled = self.are_labelled();
        let Some(told) = self.actions.get(&action) else {
            return (Vec::new(), false);
        };
        if self.are_kept {
            // One that is printed alone is not said twice.
            let is_alone = told.to_stdout && !are_labelled;
            let lines = (!is_alone).then(|| lines(records));
            self.kept.insert(action, told.kept(None, lines));
        }
        let before = match (told.to_stdout, are_labelled) {
            (true, true) => format!("{}:\n", told.label).into_bytes(),
            _ => Vec::new(),
        };
        (before, told.to_stdout)
    }

    /// What programs are told, in the order of the actions.
    pub(super) fn kept(self) -> Vec<Kept> {
        self.kept.into_values().collect()
    }
}

impl Told {
    fn kept(&self, count: Option<u64>, records: Option<Vec<String>>) -> Kept {
        Kept {
            action: self.action,
            name: self.name.clone(),
            dataset: self.dataset.clone(),
            count,
            records,
        }
    }
}

/// The records of all partitions; what is no UTF-8 in them is marked as such.
fn lines(records: &[Bytes]) -> Vec<String> {
    let lines = records
        .iter()
        .flat_map(|it| it.split_inclusive(|byte| *byte == b'\n'));
    let text = |line: &[u8]| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        String::from_utf8_lossy(line).into_owned()
    };
    lines.map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ApplicationBuilder;
    use crate::plan::application::Action;

    /// A count, a collect and another count, of which the first so many are asked
    /// for; the second one has a name.
    fn application(count: usize, to_stdout: bool) -> Application {
        let mut builder = ApplicationBuilder::new();
        let numbers = builder.range("numbers", 0, 9, 3).expect("a dataset");
        let collect = ActionKind::Collect { limit: None };
        for (kind, name) in [(ActionKind::Count, None), (collect, Some("all"))]
            .into_iter()
            .take(count)
        {
            builder.add_action(Action {
                name: name.map(Into::into),
                to_stdout,
                ..Action::new(numbers, kind)
            });
        }
        builder.build()
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_single_result_is_printed_as_it_is_and_several_say_whose_they_are() {
        let mut alone = Results::of(&application(1, true), true);
        assert_eq!(text(alone.counted(0, 7)), "7\n");
        let mut both = Results::of(&application(2, true), true);
        assert_eq!(text(both.counted(0, 7)), "count of numbers: 7\n");
        let records = [Bytes::from_static(b"a\nb\n"), Bytes::from_static(b"\xff\n")];
        let (before, is_printed) = both.collected(1, &records);
        assert_eq!((text(before).as_str(), is_printed), ("all:\n", true));
        let json = serde_json::to_string(&both.kept()).expect("JSON");
        assert_eq!(
            json,
            "[{\"action\":\"count\",\"name\":null,\"dataset\":\"numbers\",\"count\":7},\
             {\"action\":\"collect\",\"name\":\"all\",\"dataset\":\"numbers\",\
             \"records\":[\"a\",\"b\",\"\u{fffd}\"]}]"
        );
    }

    #[test]
    fn what_is_not_for_stdout_is_for_programs_or_warned_of() {
        let application = application(2, false);
        let mut results = Results::of(&application, true);
        assert_eq!(text(results.counted(0, 7)), "");
        let (before, is_printed) = results.collected(1, &[]);
        assert_eq!((text(before).as_str(), is_printed), ("", false));
        assert_eq!(results.kept().len(), 2);
        let none = native::Results::default();
        assert_eq!(Results::unseen(&application, true, &none), [""; 0]);
        assert_eq!(Results::unseen(&application, false, &none).len(), 1);
    }
}
