//! The scheduler client against a scripted master on loopback: every path of the
//! protocol, and whatever a master may do wrong. Nothing here waits for a time.

mod answers;
mod call_bodies;
mod calls;
mod framework;
mod framing;
mod leaders;
mod stream;
mod subscribing;
mod tls;
mod tokens;

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/events.rs"]
mod events;
#[path = "../support/master.rs"]
mod master;
#[path = "../support/offers.rs"]
mod offers;
