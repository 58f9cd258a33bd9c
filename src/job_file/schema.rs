//! All that can stand in a job file, for editors: a JSON schema.
//!
//! Responsible for asking the readers. What fields there are, and of what kind, is
//! written down nowhere but where they are read; so small files are read, one for each
//! thing that could be written, and the answers are the schema. Nobody has to keep the
//! two alike.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::JobFile;
use super::action::ACTIONS;
use super::dataset::words;
use super::fields::Asked;
use super::problem::Problem;

/// A number, a flag or a word may be a parameter.
const PARAMETER: &str = "^\\$\\{(env:)?[A-Za-z_][A-Za-z0-9_]*\\}$";

/// Tables that are no fields.
const OF_THEIR_OWN: [&str; 4] = ["params", "conf", "dataset", "action"];

/// The schema of job files.
pub fn schema() -> Value {
    let mut properties = fields(&Place::of(""), "the job file", &OF_THEIR_OWN);
    properties.insert("params".into(), params());
    properties.insert("conf".into(), json!({ "type": "object" }));
    let datasets =
        json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/dataset" } });
    properties.insert("dataset".into(), datasets);
    let actions = json!({ "type": "array", "items": { "$ref": "#/$defs/action" } });
    properties.insert("action".into(), actions);
    let mut schema = object(&properties);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Mesquite job file");
    schema["$defs"] = json!({ "dataset": dataset(), "action": action() });
    schema
}

fn params() -> Value {
    let required = json!({
        "type": "object",
        "properties": { "required": { "const": true } },
        "required": ["required"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
        "additionalProperties": { "anyOf": [{ "type": ["string", "number", "boolean"] }, required] },
    })
}

/// Any names, with what can be written as text.
fn env() -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
        "additionalProperties": { "type": ["string", "number", "boolean"] },
    })
}

/// Cores, and amounts of what agents call as they like.
fn resources() -> Value {
    json!({
        "type": "object",
        "properties": { "cpus": { "anyOf": [{ "type": "integer", "minimum": 1 }, parameter()] } },
        "additionalProperties": { "anyOf": [{ "type": "number" }, parameter()] },
    })
}

fn dataset() -> Value {
    // A second operation would be refused as such, and what belongs to the first one
    // is looked at beside it only.
    let others: Vec<_> = words().map(|(word, _)| word).collect();
    let place = Place::of("[dataset.x]\ntext = ['a']\n");
    let mut properties = fields(&place, "dataset `x`", &others);
    for (word, has_from) in words() {
        let from = if has_from { "from = 'y'\n" } else { "" };
        let place = Place::of(&format!("[dataset.x]\n{from}"));
        properties.insert(word.into(), value(&place.field(word)));
    }
    let mut dataset = object(&properties);
    dataset["oneOf"] = words()
        .map(|(word, _)| json!({ "required": [word] }))
        .collect();
    let derived = words().filter(|(_, has_from)| *has_from);
    dataset["dependentRequired"] = derived
        .map(|(word, _)| (word.to_owned(), json!(["from"])))
        .collect::<Map<_, _>>()
        .into();
    dataset
}

fn action() -> Value {
    let mut action = object(&fields(&Place::of("[[action]]\n"), "an action", &[]));
    let asked = ACTIONS.iter().map(|word| json!({ "required": [word] }));
    action["oneOf"] = asked.collect();
    action["dependentRequired"] = json!({ "save": ["to"] });
    action
}

fn parameter() -> Value {
    json!({ "type": "string", "pattern": PARAMETER })
}

fn object(properties: &Map<String, Value>) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// A place in a file: what stands before a value, and after it.
#[derive(Clone)]
struct Place {
    before: String,
    after: String,
}

impl Place {
    fn of(before: &str) -> Self {
        Self {
            before: before.to_owned(),
            after: "\n".to_owned(),
        }
    }

    /// That of a field, in a table which is not closed.
    fn field(&self, name: &str) -> Self {
        Self {
            before: format!("{}{name} = ", self.before),
            after: self.after.clone(),
        }
    }

    /// That of a field of a table that is the value here.
    fn inner(&self, name: &str) -> Self {
        Self {
            before: format!("{}{{ {name} = ", self.before),
            after: format!(" }}{}", self.after),
        }
    }

    /// That of an entry of a list that is the value here.
    fn entry(&self) -> Self {
        Self {
            before: format!("{}[", self.before),
            after: format!("]{}", self.after),
        }
    }

    /// Reads a file with this value; what was asked for, and whether such a value
    /// can stand here.
    fn read(&self, value: &str) -> (Asked, bool) {
        let text = format!("{}{value}{}", self.before, self.after);
        let (asked, problems) = JobFile::asked(&text);
        let (start, end) = (self.before.len(), self.before.len() + value.len());
        let is_here = |it: &Problem| it.span.start >= start && it.span.end <= end;
        let refused = problems.iter().any(|it| it.is_wrong_kind && is_here(it));
        (asked, !refused)
    }
}

/// The fields of a table that messages call `what`, and which is not closed, without
/// those that somebody else puts together.
fn fields(place: &Place, what: &str, others: &[&str]) -> Map<String, Value> {
    let (asked, _) = JobFile::asked(&place.before);
    let tables = asked.tables.into_iter();
    let known = tables
        .filter(|(it, ..)| it == what)
        .flat_map(|(_, _, known)| known);
    known
        .filter(|name| !others.contains(name))
        .map(|name| {
            let value = match name {
                "env" => env(),
                "resources" => resources(),
                _ => value(&place.field(name)),
            };
            (name.to_owned(), value)
        })
        .collect()
}

/// What may stand at a place.
fn value(place: &Place) -> Value {
    let mut kinds = Vec::new();
    let mut takes_text = false;
    let (asked, is_text) = place.read("'a'");
    if is_text {
        takes_text = true;
        kinds.push(match asked.words.get(&place.before.len()) {
            Some(words) => json!({ "anyOf": [{ "enum": words }, parameter()] }),
            None => json!({ "type": "string" }),
        });
    }
    let (asked, is_whole) = place.read("1");
    let (_, is_number) = place.read("1.5");
    if is_number {
        kinds.push(json!({ "type": "number" }));
    } else if is_whole {
        kinds.push(match asked.ranges.get(&place.before.len()) {
            Some(range) => {
                let (least, most) = range.clone().into_inner();
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            None => json!({ "type": "integer" }),
        });
    }
    match (place.read("true").1, place.read("false").1) {
        (true, true) => kinds.push(json!({ "type": "boolean" })),
        (true, false) => kinds.push(json!({ "const": true })),
        (false, _) => {}
    }
    if (is_whole || is_number || place.read("false").1) && !takes_text {
        kinds.push(parameter());
    }
    if place.read("[]").1 {
        let entries = value(&place.entry());
        kinds.push(json!({ "type": "array", "items": entries }));
    }
    let (asked, is_table) = place.read("{}");
    if is_table {
        let start = place.before.len();
        let tables = asked
            .tables
            .into_iter()
            .filter(|(_, span, _)| span.start == start);
        let known: Vec<_> = tables.flat_map(|(_, _, known)| known).collect();
        let inner = known
            .into_iter()
            .map(|name| (name.to_owned(), value(&place.inner(name))));
        kinds.push(object(&inner.collect()));
    }
    if !is_table && place.read("{ x = 1 }").1 {
        // One field, whose name is a word for something.
        kinds.push(json!({ "type": "object", "minProperties": 1, "maxProperties": 1 }));
    }
    match kinds.len() {
        1 => kinds.remove(0),
        _ => json!({ "anyOf": kinds }),
    }
}
