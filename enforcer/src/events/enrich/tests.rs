use std::path::Path;

use enforcer_common::{
    abi::{CgroupId, Event, RuleId},
    verdict::{Fault, Reason, Verdict},
};

use super::{Enricher, process::ProcFs};
use crate::{
    events::{
        aggregate::Describe,
        context::Mode,
        record::{Outcome, Severity, ip},
        samples::{CONTAINER, POD, SampleContext, addr, event},
    },
    geo::SpecialRange,
};

fn enricher() -> Enricher<SampleContext> {
    Enricher::new(
        SampleContext::of_a_node(),
        ProcFs::at(Path::new("/nonexistent")),
    )
}

#[test]
fn everything_that_is_known() {
    let facts = enricher().event(&event());
    assert_eq!(facts.outcome, Outcome::Denied);
    assert_eq!(facts.reason, Some(Reason::Rule));
    assert_eq!(facts.mode, Some(Mode::Enforce));
    assert_eq!(facts.rule.as_ref().map(|rule| rule.line), Some(14));
    assert_eq!(
        facts
            .placement
            .container
            .as_ref()
            .map(|container| container.id.as_str()),
        Some(CONTAINER)
    );
    assert_eq!(facts.placement.pod_uid.as_deref(), Some(POD));
    assert_eq!(
        facts.destination.names.domain.as_deref(),
        Some("api.example.com")
    );
    assert_eq!(facts.severity(), Severity::Medium);
}

#[test]
fn nothing_is_known() {
    let mut bare = event();
    bare.flow.cgroup = CgroupId(1);
    bare.flow.dst = addr("198.51.100.1");
    bare.flow.rule = RuleId(99);
    bare.flow.verdict = 0x55;
    bare.src = addr("::");
    bare.src_port.0 = 0;
    bare.reason = 0xff;
    bare.hook = 0xff;
    bare.pid = u32::MAX;
    let facts = enricher().event(&bare);
    assert_eq!(facts.outcome, Outcome::Unknown);
    assert_eq!((facts.reason, facts.hook, facts.mode), (None, None, None));
    assert_eq!(
        (&facts.rule, &facts.workload, &facts.placement.container),
        (&None, &None, &None)
    );
    assert_eq!(facts.source, None);
    let process = facts.process.as_ref().expect("the event names a process");
    assert_eq!((process.pid, &process.image), (u32::MAX, &None));
}

#[test]
fn an_isolated_workload_and_a_fault_are_serious() {
    for reason in [Reason::Isolated, Reason::Fault(Fault::NoPage)] {
        let event = Event {
            reason: reason.to_byte(),
            ..event()
        };
        assert_eq!(enricher().event(&event).severity(), Severity::High);
    }
}

#[test]
fn an_audited_flow_proves_the_mode() {
    let mut audited = event();
    audited.flow.verdict = Verdict::Allow as u8 | 0x80;
    audited.flow.rule = RuleId(99);
    let facts = enricher().event(&audited);
    assert_eq!(
        (facts.outcome, facts.mode),
        (Outcome::WouldDeny, Some(Mode::Audit))
    );
}

#[test]
fn an_embedded_address_is_placed_as_the_decision_judges_it() {
    let cases = [
        ("203.0.113.7", None, true),
        ("64:ff9b::203.0.113.7", Some("203.0.113.7"), true),
        ("2001:db8:64::203.0.113.7", Some("203.0.113.7"), true),
        ("fe80::5efe:203.0.113.7", Some("203.0.113.7"), true),
        ("2001:db8::5efe:203.0.113.7", Some("203.0.113.7"), false),
        ("2001:db8::1", None, false),
    ];
    for (destination, judged, placed) in cases {
        let mut event = event();
        event.flow.dst = addr(destination);
        let facts = enricher().event(&event);
        let found = facts
            .destination
            .judged
            .map(|judged| ip(judged).to_string());
        assert_eq!(found.as_deref(), judged, "{destination}");
        assert_eq!(
            facts.destination.place.country.is_some(),
            placed,
            "{destination}"
        );
    }
    let mut event = event();
    event.flow.dst = addr("64:ff9b::10.1.2.3");
    let place = &enricher().event(&event).destination.place;
    assert_eq!(place.range, Some(SpecialRange::Private));
}
