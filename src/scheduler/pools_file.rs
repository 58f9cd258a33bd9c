//! The file that defines pools: Spark's `fairscheduler.xml`, or TOML.
//!
//! Responsible for turning its text into definitions. A mistake in one value
//! costs that value alone, which falls back to its default with a warning; only
//! text that cannot be parsed is an error. Reads no files itself.
//!
//! ```text
//! <allocations>                          [pool.reports]
//!   <pool name="reports">                mode = "FAIR"
//!     <schedulingMode>FAIR</...>         weight = 2
//!     <weight>2</weight>                 min_share = 4
//!     <minShare>4</minShare>
//!   </pool>                              [pool.reports.pool.daily]
//! </allocations>                         weight = 3
//! ```
//!
//! In XML all pools are direct children of the root, as in Spark. In TOML a pool
//! may hold pools; a job names an inner one as `reports/daily`.

use std::fmt::Display;
use std::str::FromStr;

use crate::scheduler::pool::{NESTING, PoolDefinition};

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolsFile {
    /// The pools, in the order of the file (TOML: of names).
    pub pools: Vec<PoolDefinition>,
    /// Mistakes that were passed over, each with what was done about it.
    pub warnings: Vec<String>,
}

/// The text cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolsFileError {
    /// Not well-formed XML.
    #[error("bad pools file: not well-formed XML: {0}")]
    Xml(String),
    /// Not well-formed TOML.
    #[error("bad pools file: not well-formed TOML: {0}")]
    Toml(String),
}

impl PoolsFile {
    /// Reads the text of a file of this name: TOML if it ends with `.toml`,
    /// else XML.
    pub fn read(file_name: &str, text: &str) -> Result<Self, PoolsFileError> {
        if file_name.to_ascii_lowercase().ends_with(".toml") {
            Self::read_toml(text)
        } else {
            Self::read_xml(text)
        }
    }

    /// Reads Spark's XML.
    pub fn read_xml(text: &str) -> Result<Self, PoolsFileError> {
        let document = roxmltree::Document::parse(text)
            .map_err(|error| PoolsFileError::Xml(error.to_string()))?;
        let mut file = Self::default();
        for node in document
            .root_element()
            .descendants()
            .filter(|node| node.has_tag_name("pool"))
        {
            let name = node.attribute("name").unwrap_or_default().trim();
            if !file.accepts_name(name) {
                continue;
            }
            let value = |tag: &str| {
                node.children()
                    .find(|child| child.has_tag_name(tag))
                    .and_then(|child| child.text())
                    .map(str::trim)
                    .unwrap_or_default()
                    .to_owned()
            };
            let mut pool = PoolDefinition::new(name);
            file.take(
                name,
                "schedulingMode",
                &value("schedulingMode"),
                &mut pool.mode,
            );
            file.take(name, "minShare", &value("minShare"), &mut pool.min_share);
            file.take_weight(name, "weight", &value("weight"), &mut pool.weight);
            file.pools.push(pool);
        }
        Ok(file)
    }

    /// Reads TOML.
    pub fn read_toml(text: &str) -> Result<Self, PoolsFileError> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| PoolsFileError::Toml(error.to_string()))?;
        let mut file = Self::default();
        for (key, value) in &table {
            match (key.as_str(), value) {
                ("pool", toml::Value::Table(pools)) => {
                    file.pools = file.toml_pools("", pools);
                }
                _ => file
                    .warnings
                    .push(format!("{key:?} is not a table of pools: passed over")),
            }
        }
        Ok(file)
    }

    fn toml_pools(&mut self, outer: &str, pools: &toml::Table) -> Vec<PoolDefinition> {
        let mut defined = Vec::new();
        for (name, value) in pools {
            let path = match outer {
                "" => name.clone(),
                outer => format!("{outer}{NESTING}{name}"),
            };
            let toml::Value::Table(settings) = value else {
                self.warnings
                    .push(format!("pool {path:?} is not a table: passed over"));
                continue;
            };
            if !self.accepts_name(name) {
                continue;
            }
            let mut pool = PoolDefinition::new(name.as_str());
            for (key, value) in settings {
                let text = match value {
                    toml::Value::String(text) => text.clone(),
                    toml::Value::Integer(number) => number.to_string(),
                    other => format!("a {}", other.type_str()),
                };
                match (key.as_str(), value) {
                    ("mode", _) => self.take(&path, "mode", &text, &mut pool.mode),
                    ("min_share", _) => {
                        self.take(&path, "min_share", &text, &mut pool.min_share);
                    }
                    ("weight", _) => self.take_weight(&path, "weight", &text, &mut pool.weight),
                    ("pool", toml::Value::Table(inner)) => {
                        pool.pools = self.toml_pools(&path, inner);
                    }
                    _ => self.warnings.push(format!(
                        "pool {path:?} has an unknown setting {key:?}: passed over; known are \
                         mode, min_share, weight and pool"
                    )),
                }
            }
            defined.push(pool);
        }
        defined
    }

    fn accepts_name(&mut self, name: &str) -> bool {
        if name.is_empty() {
            self.warnings
                .push("a pool without a name is passed over".into());
            return false;
        }
        if self.pools.iter().any(|pool| pool.name == name) {
            self.warnings.push(format!(
                "pool {name:?} is defined twice: the later definition holds"
            ));
        }
        true
    }

    /// Sets a value if its text is good, else warns and leaves the default.
    fn take<T: FromStr + Display>(&mut self, pool: &str, key: &str, text: &str, value: &mut T) {
        let read = text.trim();
        match read.parse() {
            Ok(good) => *value = good,
            Err(_) if read.is_empty() => self
                .warnings
                .push(format!("pool {pool:?} has no {key}: using {value}")),
            Err(_) => self.warnings.push(format!(
                "pool {pool:?} has a bad {key}, {read:?}: using {value}"
            )),
        }
    }

    fn take_weight(&mut self, pool: &str, key: &str, text: &str, value: &mut u32) {
        let mut weight = *value;
        self.take(pool, key, text, &mut weight);
        if weight == 0 {
            self.warnings.push(format!(
                "pool {pool:?} has a bad {key}, \"0\": using {value}"
            ));
        } else {
            *value = weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::ordering::SchedulingMode;

    fn pool(name: &str, mode: SchedulingMode, min_share: u32, weight: u32) -> PoolDefinition {
        PoolDefinition {
            mode,
            min_share,
            weight,
            ..PoolDefinition::new(name)
        }
    }

    #[test]
    fn a_valid_xml_file_defines_its_pools() {
        let file = PoolsFile::read(
            "fairscheduler.xml",
            r#"<?xml version="1.0"?>
            <allocations>
              <pool name="pool1">
                <minShare>3</minShare><weight>1</weight><schedulingMode>FIFO</schedulingMode>
              </pool>
              <pool name="pool2">
                <minShare>4</minShare><weight>2</weight><schedulingMode>FAIR</schedulingMode>
              </pool>
              <pool name="pool3">
                <minShare> 2 </minShare><weight>3</weight><schedulingMode>fair</schedulingMode>
              </pool>
            </allocations>"#,
        )
        .expect("well-formed");
        assert_eq!(file.warnings, [""; 0]);
        assert_eq!(
            file.pools,
            [
                pool("pool1", SchedulingMode::Fifo, 3, 1),
                pool("pool2", SchedulingMode::Fair, 4, 2),
                pool("pool3", SchedulingMode::Fair, 2, 3),
            ]
        );
    }

    #[test]
    fn a_bad_value_costs_itself_alone() {
        let file = PoolsFile::read_xml(
            r#"<allocations>
              <pool name="mode">
                <minShare>3</minShare><weight>2</weight><schedulingMode>NONE</schedulingMode>
              </pool>
              <pool name="share">
                <minShare>-1</minShare><weight>2</weight><schedulingMode>FAIR</schedulingMode>
              </pool>
              <pool name="weight">
                <minShare>3</minShare><weight>two</weight><schedulingMode>FAIR</schedulingMode>
              </pool>
              <pool name="blank">
                <minShare> </minShare><weight></weight><schedulingMode/>
              </pool>
              <pool name="bare"/>
              <pool><weight>4</weight></pool>
            </allocations>"#,
        )
        .expect("well-formed");
        assert_eq!(
            file.pools,
            [
                pool("mode", SchedulingMode::Fifo, 3, 2),
                pool("share", SchedulingMode::Fair, 0, 2),
                pool("weight", SchedulingMode::Fair, 3, 1),
                PoolDefinition::new("blank"),
                PoolDefinition::new("bare"),
            ]
        );
        assert_eq!(
            file.warnings[0],
            "pool \"mode\" has a bad schedulingMode, \"NONE\": using FIFO"
        );
        assert_eq!(file.warnings.len(), 3 + 3 + 3 + 1);
    }

    #[test]
    fn a_file_that_cannot_be_parsed_is_an_error() {
        assert!(matches!(
            PoolsFile::read_xml("<allocations><pool>"),
            Err(PoolsFileError::Xml(_))
        ));
        assert!(matches!(
            PoolsFile::read("p.toml", "[pool"),
            Err(PoolsFileError::Toml(_))
        ));
    }

    #[test]
    fn toml_pools_may_hold_pools() {
        let file = PoolsFile::read(
            "pools.toml",
            "[pool.a]\nmode = \"fair\"\nweight = 2\n[pool.a.pool.b]\nmin_share = 3\n",
        )
        .expect("well-formed");
        assert_eq!(
            file.pools,
            [PoolDefinition {
                pools: vec![pool("b", SchedulingMode::Fifo, 3, 1)],
                ..pool("a", SchedulingMode::Fair, 0, 2)
            }]
        );
        assert_eq!(file.warnings, [""; 0]);
    }

    #[test]
    fn mistakes_in_toml_are_passed_over_with_a_warning() {
        let file = PoolsFile::read_toml(
            "pools = 3\n[pool.a]\nmode = \"none\"\nwieght = 2\nweight = 0\nmin_share = 1.5\n",
        )
        .expect("well-formed");
        assert_eq!(file.pools, [PoolDefinition::new("a")]);
        assert_eq!(file.warnings.len(), 5);
    }
}
