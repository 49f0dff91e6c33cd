use super::{
    Signature, severity,
    violation::{reason, write_flow, write_workload},
    write_version,
};
use crate::events::{
    encode::{
        json::Object,
        text::{Repeated, finding_uid},
        time::Times,
    },
    offenders::{THRESHOLD, WINDOW},
    record::{Finding, Severity},
};

/// What happened, in the words of `event.action`.
pub(super) const ACTION: &str = "repeated-denials";

/// The fields of the flow are those of the evidence. There is no `enforcer.count`: what a finding
/// counts has been told by the records of the flows.
pub(super) fn write(
    line: &mut Object<'_>,
    finding: &Finding,
    sequence: u64,
    signature: &Signature,
    times: &mut Times,
) {
    let facts = &*finding.facts;
    line.plain("@timestamp", &times.text(finding.end));
    write_version(line);
    line.object("event", |event| {
        event.word("kind", "alert");
        event.texts("category", ["intrusion_detection", "network"]);
        event.texts("type", ["denied"]);
        event.word("action", ACTION);
        event.word("reason", reason(facts));
        event.word("outcome", "failure");
        event.shown("id", finding_uid(&signature.run_id, finding));
        event.number("sequence", sequence);
        event.number("severity", severity(Severity::High));
        event.word("dataset", "enforcer.finding");
        event.word("module", "enforcer");
        event.plain("start", &times.text(finding.start));
        event.plain("end", &times.text(finding.end));
    });
    line.shown("message", Repeated(finding));
    write_flow(line, facts, 0);
    line.fields(&signature.fields);
    line.object("enforcer", |own| {
        write_workload(own, facts);
        own.object("finding", |own| {
            own.number("count", finding.count);
            own.number("threshold", THRESHOLD);
            own.number("window_seconds", WINDOW.as_secs());
            own.flag("again", finding.again);
            own.plain("since", &times.text(finding.since));
            own.number("evidence", finding.evidence);
        });
        own.fields(&signature.run);
    });
}
