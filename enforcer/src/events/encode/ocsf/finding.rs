use super::{
    Encoder,
    flow::{
        write_connection, write_destination, write_own, write_process, write_rule, write_source,
    },
    judged,
};
use crate::events::{
    encode::{
        json::Object,
        text::{finding_uid, workload},
    },
    offenders::{THRESHOLD, WINDOW},
    record::{Facts, Finding},
};

/// The record that is the evidence: a refused connection.
const EVIDENCE_TYPE: u32 = 400_105;

impl Encoder {
    pub(super) fn write_finding(&self, line: &mut Object<'_>, finding: &Finding) {
        let facts = &*finding.facts;
        let judged = judged(facts.outcome);
        let (status, name) = if finding.again {
            (2, "In Progress")
        } else {
            (1, "New")
        };
        line.number("status_id", status);
        line.word("status", name);
        line.number("action_id", judged.action.0);
        line.word("action", judged.action.1);
        line.number("disposition_id", judged.disposition.0);
        line.word("disposition", judged.disposition.1);
        line.flag("is_alert", true);
        line.number("count", finding.count);
        line.number("start_time", finding.start.as_millisecond());
        line.number("end_time", finding.end.as_millisecond());
        line.object("finding_info", |info| self.write_info(info, finding));
        line.objects("evidences", [facts], write_evidence);
        line.objects("resources", [facts], |resource, facts| {
            resource.text("name", workload(facts));
            let known = facts.workload.as_deref();
            resource.maybe("type", known.map(|known| known.kind.as_str()));
        });
        write_rule(line, facts);
        line.object("unmapped", |unmapped| {
            unmapped.object("enforcer", |own| {
                own.number("threshold", THRESHOLD);
                own.number("window_seconds", WINDOW.as_secs());
                write_own(own, facts, finding.end);
                self.write_run(own);
            });
        });
    }

    fn write_info(&self, info: &mut Object<'_>, finding: &Finding) {
        info.text("uid", &finding_uid(&self.observer.run, finding));
        info.word("title", "Workload is denied again and again");
        info.texts("types", ["Policy Violation"]);
        info.number("first_seen_time", finding.since.as_millisecond());
        info.number("last_seen_time", finding.end.as_millisecond());
        info.object("analytic", |analytic| {
            analytic.word("name", "repeated-denials");
            analytic.number("type_id", 1);
            analytic.word("type", "Rule");
        });
        info.objects("related_events", [finding.evidence], |event, sequence| {
            event.shown("uid", self.uid(sequence));
            event.number("type_uid", EVIDENCE_TYPE);
        });
    }
}

fn write_evidence(evidence: &mut Object<'_>, facts: &Facts) {
    write_connection(evidence, &facts.destination);
    write_destination(evidence, &facts.destination);
    write_source(evidence, facts);
    if let Some(process) = &facts.process {
        evidence.object("process", |object| write_process(object, facts, process));
    }
}
