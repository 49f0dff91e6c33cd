mod daemon;

use std::{fs, path::Path, sync::Arc};

use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Event, FlowKey, Hook, Port, Proto, RuleId},
    verdict::{Reason, Verdict},
};
use jiff::Timestamp;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use serde_json::Value;

use super::Encoder;
use crate::events::{
    aggregate::Describe,
    enrich::{Enricher, process::ProcFs},
    record::{Facts, Finding, ProcessImage, Record, Violation},
    samples::{SampleContext, addr, event, observer, process},
};

fn encode(record: &Record, sequence: u64) -> String {
    let mut out = b"before\n".to_vec();
    Encoder::new(&observer()).encode(record, sequence, &mut out);
    String::from_utf8(out)
        .expect("UTF-8")
        .strip_prefix("before\n")
        .expect("appended")
        .to_owned()
}

fn parsed(record: &Record) -> Value {
    serde_json::from_str(&encode(record, 1)).expect("JSON")
}

fn facts(event: &Event) -> Facts {
    let proc = ProcFs::at(Path::new("/nonexistent"));
    Arc::unwrap_or_clone(Enricher::new(SampleContext::of_a_node(), proc).event(event))
}

fn at(ns: i128) -> Timestamp {
    Timestamp::from_nanosecond(1_795_341_600_000_000_000 + ns).expect("in range")
}

fn violation(facts: Facts) -> Violation {
    Violation {
        facts: Arc::new(facts),
        count: 1,
        bytes: 0,
        start: at(0),
        end: at(0),
    }
}

fn denied() -> Violation {
    let mut facts = facts(&event());
    facts.process = Some(process());
    violation(facts)
}

fn repeated() -> Violation {
    Violation {
        count: 1200,
        bytes: 62_400,
        end: at(30_250_000_000),
        ..denied()
    }
}

fn audited() -> Violation {
    let mut event = event();
    event.flow.verdict = Verdict::Allow as u8 | 0x80;
    event.flow.rule = RuleId(8);
    event.flow.dst = addr("64:ff9b::203.0.113.7");
    event.flow.proto = Proto::UDP;
    event.hook = Hook::Sendmsg as u8;
    violation(facts(&event))
}

fn unknown_workload() -> Violation {
    let mut event = event();
    event.flow.verdict = Verdict::Hold as u8;
    event.flow.cgroup = CgroupId(1);
    event.flow.rule = RuleId::NONE;
    event.flow.dst = addr("2001:db8::1");
    event.reason = Reason::Unknown.to_byte();
    event.hook = Hook::Egress as u8;
    event.src = addr("2001:db8::5");
    violation(facts(&event))
}

fn finding() -> Finding {
    Finding {
        number: 1,
        again: false,
        since: at(0),
        count: 1201,
        start: at(0),
        end: at(30_250_000_000),
        evidence: 2,
        facts: denied().facts,
    }
}

fn samples() -> Vec<Record> {
    [denied(), repeated(), audited(), unknown_workload()]
        .into_iter()
        .map(Record::Violation)
        .chain(
            daemon::events()
                .into_iter()
                .map(|event| Record::Daemon(at(0), event)),
        )
        .chain([Record::Finding(finding())])
        .collect()
}

#[test]
fn lines_are_as_published() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let lines: String = (1..)
        .zip(samples())
        .map(|(number, record)| encode(&record, number))
        .collect();
    let golden = docs.join("events.ndjson");
    if std::env::var_os("ENFORCER_BLESS").is_some() {
        fs::write(&golden, &lines).expect("writes");
    }
    let published = fs::read_to_string(&golden).expect("docs/events.ndjson");
    for (line, published) in lines.lines().zip(published.lines()) {
        assert_eq!(
            line, published,
            "if this is meant, run the test with ENFORCER_BLESS=1"
        );
    }
    assert_eq!(lines.lines().count(), published.lines().count());
}

#[test]
fn the_documentation_shows_published_lines_and_names_every_field() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let text = fs::read_to_string(docs.join("events.md")).expect("docs/events.md");
    let published: Vec<Value> = samples().iter().map(parsed).collect();
    let shown: Vec<&str> = text
        .split("```json\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .collect();
    assert!(!shown.is_empty());
    for block in shown {
        let mut value: Value = serde_json::from_str(block).expect("JSON");
        value["event"]["sequence"] = 1.into();
        assert!(published.contains(&value), "not a published line: {block}");
    }
    for record in &published {
        let mut names = Vec::new();
        leaves(record, String::new(), &mut names);
        for name in names {
            assert!(
                text.contains(&format!("`{name}`")),
                "docs/events.md lacks {name}"
            );
        }
    }
}

fn leaves(value: &Value, name: String, out: &mut Vec<String>) {
    match value.as_object() {
        Some(fields) => fields.iter().for_each(|(field, value)| {
            let dot = if name.is_empty() { "" } else { "." };
            leaves(value, format!("{name}{dot}{field}"), out);
        }),
        None => out.push(name),
    }
}

#[test]
fn audit_records_are_successes() {
    let line = parsed(&Record::Violation(audited()));
    assert_eq!(
        line["event"]["type"],
        serde_json::json!(["connection", "allowed"])
    );
    assert_eq!(line["event"]["outcome"], "success");
    assert_eq!(line["enforcer"]["verdict"], "would_deny");
    assert_eq!(line["enforcer"]["mode"], "audit");
    assert_eq!(line["destination"]["ip"], "64:ff9b::cb00:7107");
    assert_eq!(line["enforcer"]["judged_ip"], "203.0.113.7");
}

#[test]
fn a_mapped_address_is_written_as_ipv4() {
    let line = parsed(&Record::Violation(denied()));
    assert_eq!(line["network"]["type"], "ipv4");
    assert_eq!(line["destination"]["ip"], "203.0.113.7");
    assert_eq!(line["enforcer"].get("judged_ip"), None);
}

#[test]
fn special_addresses_have_no_country_and_unknown_ones_have_zz() {
    let mut event = event();
    event.flow.dst = addr("10.1.2.3");
    let private = parsed(&Record::Violation(violation(facts(&event))));
    assert_eq!(private["destination"].get("geo"), None);
    assert_eq!(private["enforcer"]["geo"]["range"], "private");
    event.flow.dst = addr("198.51.100.1");
    let unknown = parsed(&Record::Violation(violation(facts(&event))));
    assert_eq!(unknown["destination"]["geo"]["country_iso_code"], "ZZ");
}

const MANDATORY: [&str; 21] = [
    "/@timestamp",
    "/ecs/version",
    "/event/kind",
    "/event/category/0",
    "/event/type/0",
    "/event/action",
    "/event/reason",
    "/event/outcome",
    "/event/sequence",
    "/event/severity",
    "/event/start",
    "/event/end",
    "/network/direction",
    "/network/type",
    "/network/iana_number",
    "/destination/ip",
    "/observer/type",
    "/host/name",
    "/enforcer/workload",
    "/enforcer/verdict",
    "/enforcer/count",
];

fn any_event() -> impl Strategy<Value = Event> {
    let flow = (
        any::<[u8; 16]>(),
        any::<[u8; 4]>(),
        any::<bool>(),
        any::<u16>(),
        any::<u8>(),
        any::<u8>(),
    );
    let rest = (
        any::<[u64; 3]>(),
        any::<[u8; 16]>(),
        any::<[u16; 3]>(),
        any::<[u32; 2]>(),
        any::<[u8; 2]>(),
    );
    (flow, rest).prop_map(
        |((v6, v4, is_v4, port, proto, verdict), (longs, comm, shorts, words, bytes))| {
            let [at_ns, generation, cgroup] = longs;
            let [rule, src_port, class] = shorts;
            Event {
                flow: FlowKey {
                    cgroup: CgroupId(cgroup),
                    dst: if is_v4 {
                        Addr::from_v4(v4)
                    } else {
                        Addr::from_v6(v6)
                    },
                    port: Port(port),
                    proto: Proto(proto),
                    verdict,
                    rule: RuleId(rule),
                    generation: generation as u16,
                },
                at_ns,
                generation,
                src: Addr::from_v6(v6),
                pid: words[0],
                uid: words[1],
                comm,
                src_port: Port(src_port),
                class: ClassId(class),
                hook: bytes[0],
                reason: bytes[1],
                reserved: [0; 2],
            }
        },
    )
}

proptest! {
    #[test]
    fn any_record_is_one_line(
        event in any_event(),
        command_line in any::<String>(),
        executable in any::<String>(),
        count in any::<u64>(),
        sequence in any::<u64>(),
        start in any::<i64>(),
    ) {
        let mut facts = facts(&event);
        if let Some(process) = &mut facts.process {
            process.image = Some(Arc::new(ProcessImage {
                command_line: Some(command_line.clone()),
                executable: Some(executable),
                ..ProcessImage::default()
            }));
        }
        let start = Timestamp::from_nanosecond(start.into()).expect("in range");
        let violation = Violation { count, start, end: start, ..violation(facts) };
        let line = encode(&Record::Violation(violation), sequence);
        prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
        let other_line_ends = ['\r', '\u{85}', '\u{2028}', '\u{2029}'];
        prop_assert!(!line.contains(other_line_ends));
        let value: Value = serde_json::from_str(&line).expect("JSON");
        for field in MANDATORY {
            prop_assert!(value.pointer(field).is_some(), "no {} in {}", field, line);
        }
        prop_assert_eq!(&value["event"]["sequence"], &Value::from(sequence));
        prop_assert_eq!(&value["enforcer"]["count"], &Value::from(count));
        if event.pid != 0 {
            prop_assert_eq!(&value["process"]["command_line"], &Value::from(command_line));
        }
        let written: Timestamp = value["@timestamp"].as_str().expect("text").parse().expect("a time");
        prop_assert_eq!(written, start);
    }
}
