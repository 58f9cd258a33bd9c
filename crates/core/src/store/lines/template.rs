//! How a line of a task looks, learned from one, so that the next million are read by
//! comparing bytes. Pure.
//!
//! Responsible for giving exactly what reading the line as JSON gives, or for saying
//! that the line looks different. All that is between the numbers and the few names of
//! a line has to be the same, byte for byte; so a line that fits is JSON of the same
//! fields. Only lines of attempts that begin, or end well, are learned.

use memchr::memchr;

use super::super::attempts::{Began, State};
use super::super::log_events::TaskEvent;
use super::super::measures::{Measure, Measures};
use super::{Batch, Ending, Item, locality};

/// What a line says of a task beside measures: names of parts and fields.
const FIELDS: [(&str, &str); 9] = [
    ("", "Stage ID"),
    ("", "Stage Attempt ID"),
    ("Task Info", "Index"),
    ("Task Info", "Attempt"),
    ("Task Info", "Partition ID"),
    ("Task Info", "Task ID"),
    ("Task Info", "Launch Time"),
    ("Task Info", "Getting Result Time"),
    ("Task Info", "Finish Time"),
];

/// The first of them are numbers of 32 bits.
const NARROW: usize = 5;
const PARTITION: usize = 4;
const TASK: usize = 5;
const LAUNCHED: usize = 6;
const GETTING_RESULT: usize = 7;
const FINISHED: usize = 8;

/// Behind the fields come the measures, and then what is of no interest.
const MEASURES: usize = FIELDS.len();
const IGNORED: usize = MEASURES + Measure::ALL.len();

/// The names of `Task Info` that differ from line to line.
const NAMES: [&str; 3] = ["Executor ID", "Host", "Locality"];

/// What may differ between two lines.
#[derive(Clone, Copy)]
enum Slot {
    /// A number, and where it goes.
    Number(usize),
    /// A text, and which of the names it is.
    Name(usize),
}

/// See the module.
pub(super) struct Template {
    /// What is the same in all lines, each before what differs.
    parts: Vec<(Box<[u8]>, Slot)>,
    last: Box<[u8]>,
    is_end: bool,
    has_measures: bool,
    speculative: bool,
    state: State,
}

impl Template {
    /// The shape of a line that was read as this event. None if it cannot be told.
    pub(super) fn of(line: &[u8], event: &TaskEvent<'_>, is_end: bool) -> Option<Self> {
        // Between the parts of a line only spaces are expected.
        if line.iter().any(|it| *it < 0x20) {
            return None;
        }
        let mut walk = Walk {
            line,
            at: 0,
            since: 0,
            path: Vec::new(),
            parts: Vec::new(),
        };
        walk.value()?;
        let mut places = [false; IGNORED];
        for (_, slot) in &walk.parts {
            if let Slot::Number(place @ ..IGNORED) = *slot
                && std::mem::replace(&mut places[place], true)
            {
                return None;
            }
        }
        Some(Self {
            last: line.get(walk.since..)?.into(),
            parts: walk.parts,
            is_end,
            has_measures: event.metrics.is_some(),
            speculative: event.info.speculative,
            state: super::state(&event.info),
        })
    }

    /// Reads a line, if it looks like this.
    pub(super) fn read(&self, line: &[u8], batch: &mut Batch) -> bool {
        let mut numbers = [0_u64; IGNORED + 1];
        // Where a log lacks it, the index stands for it.
        numbers[PARTITION] = u64::MAX;
        let mut names: [&[u8]; NAMES.len()] = [b""; NAMES.len()];
        let mut rest = line;
        for (before, slot) in &self.parts {
            let Some(after) = rest.strip_prefix(&**before) else {
                return false;
            };
            rest = match *slot {
                Slot::Number(place) => {
                    let Some((number, after)) = number(after) else {
                        return false;
                    };
                    numbers[place] = number;
                    after
                }
                Slot::Name(place) => {
                    let Some((name, after)) = name(after) else {
                        return false;
                    };
                    names[place] = name;
                    after
                }
            };
        }
        rest == &*self.last && self.take(&mut numbers, names, batch).is_some()
    }

    fn take(
        &self,
        numbers: &mut [u64; IGNORED + 1],
        names: [&[u8]; NAMES.len()],
        batch: &mut Batch,
    ) -> Option<()> {
        let [executor, host, nearness] = names.map(std::str::from_utf8);
        let (executor, host, nearness) = (executor.ok()?, host.ok()?, nearness.ok()?);
        if numbers[PARTITION] == u64::MAX {
            numbers[PARTITION] = numbers[2];
        }
        let mut narrow = [0; NARROW];
        for (narrow, wide) in narrow.iter_mut().zip(&*numbers) {
            *narrow = u32::try_from(*wide).ok()?;
        }
        let [stage, stage_attempt, index, attempt, partition] = narrow;
        let began = Began {
            task: numbers[TASK],
            stage,
            stage_attempt,
            index,
            attempt,
            partition,
            launched: numbers[LAUNCHED],
            executor: batch.names.of(executor),
            host: batch.names.of(host),
            locality: locality(nearness),
            speculative: self.speculative,
        };
        if !self.is_end {
            batch.items.push(Item::Began(began));
            return Some(());
        }
        let measures = self.has_measures.then(|| {
            let mut measures = Measures::default();
            measures.0.copy_from_slice(&numbers[MEASURES..IGNORED]);
            batch.measured(measures)
        });
        batch.items.push(Item::Ended(Ending {
            began,
            getting_result: numbers[GETTING_RESULT],
            finished: numbers[FINISHED],
            state: self.state,
            counted: State::Succeeded,
            why: None,
            measures,
        }));
        Some(())
    }
}

/// The number that a text begins with, as JSON has it, and what follows.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    let mut length = 0;
    while let Some(digit) = text.get(length).map(|it| it.wrapping_sub(b'0'))
        && digit < 10
    {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        length += 1;
    }
    // More digits may not fit, and a zero stands alone.
    let is_plain = (1..20).contains(&length) && (length == 1 || text[0] != b'0');
    is_plain.then(|| (number, &text[length..]))
}

/// The text up to a quote, which needs no escapes, and what follows from the quote on.
fn name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, rest) = text.split_at(memchr(b'"', text)?);
    let is_plain = name.iter().all(|it| *it >= 0x20 && *it != b'\\');
    is_plain.then_some((name, rest))
}

/// Walks over a line that is JSON, and cuts it up.
struct Walk<'a> {
    line: &'a [u8],
    at: usize,
    /// Where the current part began.
    since: usize,
    /// The keys that lead here; that of an element of a list is empty.
    path: Vec<&'a str>,
    parts: Vec<(Box<[u8]>, Slot)>,
}

impl<'a> Walk<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// Passes over a text with its quotes; what is between them.
    fn text(&mut self) -> Option<&'a str> {
        let begin = self.at + 1;
        self.at = begin;
        loop {
            match self.peek()? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        std::str::from_utf8(&self.line[begin..self.at - 1]).ok()
    }

    /// What differs from here up to `end`.
    fn slot(&mut self, slot: Slot, begin: usize, end: usize) {
        self.parts.push((self.line[self.since..begin].into(), slot));
        self.since = end;
    }

    /// Passes over a value.
    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'{' | b'[' => self.many(),
            b'"' => {
                let begin = self.at + 1;
                let text = self.text()?;
                let place = match self.path[..] {
                    ["Task Info", key] => NAMES.iter().position(|it| *it == key),
                    _ => None,
                };
                if let Some(place) = place {
                    if text.contains('\\') {
                        return None;
                    }
                    self.slot(Slot::Name(place), begin, begin + text.len());
                }
                Some(())
            }
            _ => {
                let begin = self.at;
                while !matches!(self.peek()?, b',' | b'}' | b']' | b' ') {
                    self.at += 1;
                }
                let end = self.at;
                let text = &self.line[begin..end];
                let place = self.place();
                if number(text).is_some_and(|(_, rest)| rest.is_empty()) {
                    self.slot(Slot::Number(place), begin, end);
                } else if place != IGNORED && text.first().is_some_and(u8::is_ascii_digit) {
                    // A number after all, of a kind that is not read here.
                    return None;
                }
                Some(())
            }
        }
    }

    /// Passes over a list or an object.
    fn many(&mut self) -> Option<()> {
        let is_object = self.peek()? == b'{';
        self.at += 1;
        loop {
            match self.peek()? {
                b'}' | b']' => {
                    self.at += 1;
                    return Some(());
                }
                b',' | b' ' => self.at += 1,
                _ => {
                    let mut key = "";
                    if is_object {
                        key = self.text().filter(|it| !it.contains('\\'))?;
                        while matches!(self.peek()?, b':' | b' ') {
                            self.at += 1;
                        }
                    }
                    self.path.push(key);
                    self.value()?;
                    self.path.pop();
                }
            }
        }
    }

    /// Where the number here goes.
    fn place(&self) -> usize {
        let within = |part: &'static str, field: &'static str| match self.path[..] {
            [key] => part.is_empty() && key == field,
            [outer, key] => outer == part && key == field,
            _ => false,
        };
        if let Some(place) = FIELDS.iter().position(|(part, field)| within(part, field)) {
            return place;
        }
        let is_measure = |it: &Measure| {
            let (part, field) = it.place();
            match self.path[..] {
                ["Task Metrics", key] => part.is_empty() && key == field,
                ["Task Metrics", outer, key] => outer == part && key == field,
                _ => false,
            }
        };
        let place = Measure::ALL.iter().position(is_measure);
        place.map_or(IGNORED, |it| MEASURES + it)
    }
}
