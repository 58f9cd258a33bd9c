//! Names that come again and again within one event.

use std::sync::Arc;

/// Names that most offers of an event have in common, kept once each.
#[derive(Default)]
pub(super) struct Names(Vec<Arc<str>>);

/// So many names are remembered: enough for a cluster's roles and attributes,
/// and few enough to be searched for each.
const REMEMBERED: usize = 16;

impl Names {
    pub(super) fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let name = Arc::from(name);
        if self.0.len() < REMEMBERED {
            self.0.push(Arc::clone(&name));
        }
        name
    }
}
