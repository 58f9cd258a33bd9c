//! That the schema takes what the readers take, and knows what they know.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

/// Why a value does not follow a schema; as much of the language as ours needs.
fn refused(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let object = schema.as_object().expect("a schema is an object");
    for (word, rule) in object {
        let follows = match word.as_str() {
            "$ref" => {
                let path = rule.as_str().expect("text").trim_start_matches('#');
                refused(root, root.pointer(path).expect("it is there"), value)?;
                true
            }
            "type" => is_of_types(value, rule),
            "enum" => rule.as_array().expect("a list").contains(value),
            "const" => rule == value,
            "minimum" => value.as_f64() >= rule.as_f64(),
            "maximum" => value.as_f64() <= rule.as_f64(),
            "anyOf" | "oneOf" => {
                let all = rule.as_array().expect("a list");
                let taken = all
                    .iter()
                    .filter(|it| refused(root, it, value).is_ok())
                    .count();
                if word == "oneOf" {
                    taken == 1
                } else {
                    taken > 0
                }
            }
            "required" => {
                let mut needed = rule.as_array().expect("a list").iter();
                needed.all(|it| value.get(it.as_str().expect("text")).is_some())
            }
            "dependentRequired" => {
                let all = rule.as_object().expect("an object").iter();
                let mut needed = all.filter(|(name, _)| value.get(name).is_some());
                needed.all(|(_, with)| value.get(with[0].as_str().expect("text")).is_some())
            }
            "minProperties" => value.as_object().is_some_and(|it| !it.is_empty()),
            "maxProperties" => value.as_object().is_some_and(|it| it.len() < 2),
            "items" => {
                for entry in value.as_array().into_iter().flatten() {
                    refused(root, rule, entry)?;
                }
                true
            }
            "properties" => {
                for (name, schema) in rule.as_object().expect("an object") {
                    if let Some(value) = value.get(name) {
                        refused(root, schema, value)?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                let fields = value.as_object().into_iter().flatten();
                for (name, value) in
                    fields.filter(|(it, _)| known.is_none_or(|known| !known.contains_key(*it)))
                {
                    if rule == &json!(false) {
                        return Err(format!("{name} is not known"));
                    }
                    refused(root, rule, value)?;
                }
                true
            }
            // Only texts that are one parameter have a pattern.
            "pattern" => value
                .as_str()
                .is_some_and(|it| it.starts_with("${") && it.ends_with('}')),
            "propertyNames" | "$schema" | "title" | "$defs" => true,
            other => panic!("the test knows no `{other}`"),
        };
        if !follows {
            return Err(format!("{value} does not follow {word} of {schema}"));
        }
    }
    Ok(())
}

fn is_of_types(value: &Value, types: &Value) -> bool {
    match types {
        Value::Array(all) => all.iter().any(|it| is_of_types(value, it)),
        one => is_of_type(value, one.as_str().expect("text")),
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("the test knows no `{other}`"),
    }
}

fn value_of(text: &str) -> Value {
    toml::from_str(text).expect("TOML")
}

/// The examples, and those of the document.
fn job_files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = fs::read_dir(root.join("examples")).expect("examples");
    let paths = examples.map(|it| it.expect("there").path());
    let mut texts: Vec<String> = paths
        .filter(|it| it.extension().is_some_and(|it| it == "toml"))
        .map(|it| fs::read_to_string(it).expect("text"))
        .collect();
    let document = fs::read_to_string(root.join("docs/jobs.md")).expect("text");
    for block in document.split("```toml\n").skip(1) {
        texts.push(block.split("```").next().expect("a block").to_owned());
    }
    assert!(texts.len() > 8, "there are more examples than that");
    texts
}

#[test]
fn what_is_documented_follows_the_schema() {
    let schema = schema();
    for text in job_files() {
        let value = value_of(&text);
        if let Err(why) = refused(&schema, &schema, &value) {
            panic!("{why}\n{text}");
        }
    }
}

#[test]
fn what_readers_refuse_for_its_kind_or_name_the_schema_refuses() {
    let schema = schema();
    let with = |dataset: &str, action: &str| {
        format!("[dataset.x]\n{dataset}\n[[action]]\ncount = 'x'\n{action}\n")
    };
    for text in [
        with("items = 1", ""),
        with("items = [1]\nnosuch = 1", ""),
        with("items = [1]\nrange = { end = 1 }", ""),
        with("text = [{ path = 1 }]", ""),
        with("from = 'a'\nsort = false", ""),
        with("from = 'a'\nsort = { by = 'number' }", ""),
        with("from = 'a'\nrepartition = 0", ""),
        with("from = 'a'\ncoalesce = 0", ""),
        with("from = 'a'\njoin = { with = 'b', partitions = 1.5 }", ""),
        with("items = [1]", "limit = -1"),
        with("items = [1]", "save = 'x'"),
        with("filter = 'x'", ""),
        "[dataset.x]\nitems = [1]\n[[action]]\nsave = 'x'".to_owned(),
        with("items = [1]", "after = 'x'"),
        "relative_to = 'home'".to_owned(),
        "nosuch = 1".to_owned(),
        "params = { a-b = [] }".to_owned(),
    ] {
        assert!(JobFile::read(&text).is_err(), "readers take it: {text}");
        assert!(
            refused(&schema, &schema, &value_of(&text)).is_err(),
            "the schema takes it: {text}"
        );
    }
}

/// All names of fields in a schema.
fn names(schema: &Value, all: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        all.extend(properties.keys().cloned());
    }
    match schema {
        Value::Object(object) => object.values().for_each(|it| names(it, all)),
        Value::Array(list) => list.iter().for_each(|it| names(it, all)),
        _ => {}
    }
}

#[test]
fn readers_and_schema_know_the_same_names() {
    let schema = schema();
    let mut in_schema = BTreeSet::new();
    names(&schema, &mut in_schema);
    let mut of_readers = BTreeSet::from(["required".to_owned()]);
    for text in job_files() {
        let (asked, _) = JobFile::asked(&text);
        of_readers.extend(
            asked
                .tables
                .into_iter()
                .flat_map(|(_, _, known)| known)
                .map(str::to_owned),
        );
    }
    for name in &of_readers {
        assert!(
            in_schema.contains(name),
            "`{name}` is read and not in the schema"
        );
    }
    // A table that no example has was asked for its fields by the schema alone: each
    // is a field that readers do not call unknown.
    let place = |table: &str, name: &str| match table {
        "dataset" => format!("[dataset.x]\n{name} = 1\n"),
        "action" => format!("[[action]]\n{name} = 1\n"),
        _ => format!("{name} = 1\n"),
    };
    for (table, at) in [
        ("", ""),
        ("dataset", "/$defs/dataset"),
        ("action", "/$defs/action"),
    ] {
        let properties = schema.pointer(at).expect("there")["properties"].clone();
        for name in properties.as_object().expect("fields").keys() {
            let (_, problems) = JobFile::asked(&place(table, name));
            let unknown = problems
                .iter()
                .find(|it| it.message.contains("has no field"));
            assert_eq!(unknown, None, "{table} {name}");
        }
    }
    for (name, _) in words() {
        assert!(
            schema["$defs"]["dataset"]["properties"][name].is_object(),
            "{name}"
        );
    }
}
