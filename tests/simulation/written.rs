//! An event log that was written and read again gives the store that was live.

use std::sync::Arc;
use std::time::Duration;

use mesquite::driver::facts::Happened;
use mesquite::plan::Plan;
use mesquite_core::event_log::{AboutRun, EventLog};
use mesquite_core::store::Store;
use mesquite_core::store::lines::Parser;
use mesquite_core::store::of_facts::OfFacts;

/// Both, of one run.
pub struct Written {
    live: OfFacts,
    log: EventLog,
    text: Vec<u8>,
}

impl Written {
    /// Those of a run of this plan that begins.
    pub fn of(plan: &Arc<Plan>) -> Self {
        let about = AboutRun {
            app_id: "f-0001".into(),
            attempt: None,
            name: "simulation".into(),
            user: "u".into(),
            began: Duration::ZERO,
            master: Some("http://m:5050".into()),
            version: "1".into(),
            settings: Vec::new(),
        };
        let mut log = EventLog::new(Arc::clone(plan));
        let mut text = Vec::new();
        log.begin(&about, &mut text);
        Self {
            live: OfFacts::new(Arc::clone(plan), &about),
            log,
            text,
        }
    }

    /// What happened.
    pub fn add(&mut self, facts: &[Happened]) {
        self.live.add(facts);
        for happened in facts {
            self.log.add(happened, &mut self.text);
        }
    }

    /// The run is over.
    pub fn agree(&mut self, at: Duration) {
        self.live.end(at);
        self.log.end(at, &mut self.text);
        let mut read = Store::new();
        let batch = Parser::default().parse(&self.text);
        assert_eq!(batch.first_damage, None, "a line of the event log is none");
        read.apply(batch);
        if read != *self.live.store() {
            let mut live = format!("{:#?}", self.live.store());
            let read = format!("{read:#?}");
            let lines = live.lines().zip(read.lines());
            let differs = lines.filter(|(one, other)| one != other).take(5);
            live = differs
                .map(|(one, other)| format!("live: {one}\nread: {other}\n"))
                .collect();
            panic!("the event log gives another store than the live run has:\n{live}");
        }
    }
}
