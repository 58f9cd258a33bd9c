//! What Prometheus is told of offers.
//!
//! Responsible for whether offers come, why they are of no use, and whether any is held.

use mesquite_core::store::offers::Offers;

use super::text::{Text, labels, seconds};

/// Adds what became of offers.
pub(super) fn add(text: &mut Text, offers: &Offers) {
    let totals = &offers.totals;
    let received = totals.received;
    text.one("offers_received_total", "Offers that came.", received);
    let ends = [
        ("accepted", totals.accepted),
        ("declined", totals.declined),
        ("rescinded", totals.rescinded),
        ("expired", totals.expired),
    ];
    let ends = ends.map(|(end, count)| (labels(&[("end", end)]), count));
    text.add("offers_ended_total", "Offers, by how they ended.", ends);
    let reasons = totals.by_reason.iter();
    let reasons = reasons.map(|(reason, count)| (labels(&[("reason", reason)]), *count));
    text.add(
        "offers_declined_total",
        "Offers that were declined, by the reasons for it; one may have several.",
        reasons,
    );
    text.one(
        "offers",
        "Offers that have no answer yet.",
        totals.outstanding(),
    );
    let held = [(String::new(), seconds(totals.held))];
    text.add(
        "offers_held_seconds_total",
        "How long offers waited for their answers, all together.",
        held,
    );
    let longest = [(String::new(), seconds(totals.longest_held))];
    text.add(
        "offer_held_longest_seconds",
        "How long the one waited that waited longest.",
        longest,
    );
    text.one(
        "offering_agents",
        "Agents that offered something.",
        offers.agents_known() as u64,
    );
}
