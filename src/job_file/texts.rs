//! The texts of the files that one run is read from.
//!
//! Responsible for places over several files: each file has a range of positions
//! of its own, so that one number says both which file and where in it. The file
//! that is run begins at 0. It reads no files.

use std::ops::Range;

use super::problem::{Lines, Problem, show};

/// See the module.
#[derive(Clone, Debug)]
pub struct Texts(Vec<Text>);

#[derive(Clone, Debug)]
struct Text {
    /// What messages call it.
    name: String,
    text: String,
    lines: Lines,
    /// The position of its first byte.
    begin: usize,
}

impl Texts {
    /// The file that is run.
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self(vec![Text {
            name: name.to_owned(),
            text: text.to_owned(),
            lines: Lines::of(text),
            begin: 0,
        }])
    }

    /// Adds a file that another one includes.
    pub(super) fn add(&mut self, name: String, text: String) {
        let end = self.0.last().map_or(0, |it| it.begin + it.text.len());
        // The end of a file is a place too.
        let begin = end + 1;
        let lines = Lines::of(&text);
        self.0.push(Text {
            name,
            text,
            lines,
            begin,
        });
    }

    /// Each text with the position of its first byte.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|it| (it.text.as_str(), it.begin))
    }

    /// The name and the text of a file, by its number.
    pub(super) fn get(&self, index: usize) -> (&str, &str) {
        (&self.0[index].name, &self.0[index].text)
    }

    fn index(&self, at: usize) -> usize {
        self.0.partition_point(|it| it.begin <= at) - 1
    }

    /// The bytes at a place.
    pub(super) fn slice(&self, span: &Range<usize>) -> Option<&str> {
        let file = &self.0[self.index(span.start)];
        let end = span.end.checked_sub(file.begin)?;
        file.text.get(span.start - file.begin..end)
    }

    /// A place as messages have it: file and line.
    pub fn place(&self, at: usize) -> String {
        let file = &self.0[self.index(at)];
        let line = file.lines.number(at - file.begin);
        format!("{}:{line}", file.name)
    }

    /// Each mistake as people read it, in the order of the files.
    pub fn show(&self, problems: &[Problem]) -> Vec<String> {
        let mut by_file: Vec<Vec<Problem>> = vec![Vec::new(); self.0.len()];
        for problem in problems {
            let index = self.index(problem.span.start);
            let begin = self.0[index].begin;
            let mut problem = problem.clone();
            problem.span = problem.span.start - begin..problem.span.end.saturating_sub(begin);
            by_file[index].push(problem);
        }
        let files = self.0.iter().zip(&by_file);
        let shown = files.flat_map(|(file, problems)| show(&file.name, &file.text, problems));
        shown.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_in_the_file_that_it_is_in() {
        let mut texts = Texts::new("main", "a\nbc");
        texts.add("other".into(), "d\ne\n".into());
        let begins: Vec<_> = texts.iter().map(|(_, begin)| begin).collect();
        assert_eq!(begins, [0, 5]);
        let places = [0, 3, 4, 5, 7, 8].map(|at| texts.place(at));
        let told = [
            "main:1", "main:2", "main:2", "other:1", "other:2", "other:2",
        ];
        assert_eq!(places, told);
        assert_eq!(texts.slice(&(7..8)), Some("e"));
        let problems = [Problem::new(7..8, "second"), Problem::new(2..3, "first")];
        let shown = texts.show(&problems);
        assert_eq!(shown[0], "main:2:1: first\n 2 | bc\n   | ^\n");
        assert_eq!(shown[1], "other:2:1: second\n 2 | e\n   | ^\n");
    }
}
