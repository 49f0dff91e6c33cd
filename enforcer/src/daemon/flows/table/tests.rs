use std::path::Path;

use enforcer_common::abi::Port;

use super::*;
use crate::events::{Mode, NamesInfo, PlaceInfo, RuleInfo, record::Destination};

fn facts(port: u16, outcome: Outcome) -> Facts {
    Facts {
        outcome,
        reason: None,
        hook: None,
        generation: 1,
        class: None,
        mode: None,
        destination: Destination {
            addr: IpAddr::from([192, 0, 2, 1]).into(),
            judged: None,
            port: Some(Port(port)),
            proto: Proto::TCP,
            names: NamesInfo::default(),
            place: PlaceInfo::default(),
        },
        source: None,
        process: None,
        cgroup: Some("/llm".into()),
        placement: Arc::default(),
        workload: None,
        rule: Some(Arc::new(RuleInfo {
            policy: "inside".into(),
            rule: "default".into(),
            file: Path::new("inside.yaml").into(),
            line: 7,
            no_agreement: None,
            mode: Mode::Enforce,
            data_categories: Vec::new(),
            legal_basis: Vec::new(),
        })),
    }
}

fn at(first: i64, last: i64, count: u64) -> Seen {
    let moment = |second| Timestamp::from_second(second).expect("in range");
    Seen {
        count,
        bytes: 10 * count,
        first: moment(first),
        last: moment(last),
    }
}

#[test]
fn counts_of_one_flow_add_up() {
    let mut table = Table::new(8);
    table.add(&facts(443, Outcome::Denied), at(10, 20, 2));
    table.add(&facts(443, Outcome::Denied), at(15, 30, 3));
    table.add(&facts(443, Outcome::Allowed), at(40, 40, 1));
    table.add(&facts(80, Outcome::Denied), at(40, 40, 1));
    let mut counts: Vec<_> = table
        .flows()
        .map(|flow| (flow.port, &*flow.verdict, flow.count, flow.bytes))
        .collect();
    counts.sort_unstable();
    assert_eq!(
        counts,
        [
            (Some(80), "deny", 1, 10),
            (Some(443), "allow", 1, 10),
            (Some(443), "deny", 5, 50)
        ]
    );
    let both = table.flows().find(|flow| flow.count == 5).expect("there");
    assert_eq!(
        (both.first_seen.as_second(), both.last_seen.as_second()),
        (10, 30)
    );
    assert_eq!(both.to(), "192.0.2.1:443/tcp");
    assert_eq!(both.country.as_deref(), Some("ZZ"));
}

#[test]
fn what_finds_no_room_is_counted_and_what_is_old_makes_room() {
    let mut table = Table::new(1);
    table.add(&facts(1, Outcome::Denied), at(10, 10, 1));
    table.add(&facts(2, Outcome::Denied), at(20, 20, 1));
    table.add(&facts(1, Outcome::Denied), at(30, 30, 1));
    assert_eq!(table.dropped, 1);
    let now = Timestamp::from_second(90).expect("in range");
    table.forget(now, Duration::from_secs(60));
    assert_eq!(table.flows().count(), 1);
    table.forget(now, Duration::from_secs(59));
    assert_eq!(table.flows().count(), 0);
}

#[test]
fn a_restored_flow_goes_on() {
    let mut table = Table::new(8);
    table.add(&facts(443, Outcome::WouldDeny), at(10, 10, 1));
    let kept: Vec<FlowRecord> = table.flows().cloned().collect();
    let text = serde_json::to_string(&kept).expect("JSON");
    let mut next = Table::new(8);
    for flow in serde_json::from_str::<Vec<FlowRecord>>(&text).expect("flows") {
        next.restore(flow);
    }
    next.add(&facts(443, Outcome::WouldDeny), at(20, 20, 1));
    let flows: Vec<_> = next.flows().collect();
    assert_eq!((flows.len(), flows[0].count, next.dropped), (1, 2, 0));
}
