//! What the fuzz targets call: the functions that `tests/hostile_bytes.rs` holds
//! to their properties, and the real messages that it damages.

#[path = "../../tests/support/events.rs"]
pub mod events;
#[path = "../../tests/support/hostile.rs"]
pub mod hostile;
#[path = "../../tests/support/hostile_files.rs"]
pub mod hostile_files;
#[path = "../../tests/support/hostile_run.rs"]
pub mod hostile_run;
#[path = "../../tests/support/offers.rs"]
pub mod offers;
