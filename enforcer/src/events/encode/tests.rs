//! Records of all kinds with hostile text, for every encoder.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::Value;

use super::{Encoder, Format};
use crate::events::{
    aggregate::Describe as _,
    context::{RuleInfo, WorkloadInfo},
    enrich::{Enricher, process::ProcFs},
    record::{CommandName, DaemonEvent, Facts, Parent, Process, ProcessImage, Record, Violation},
    samples::{SampleContext, event, observer},
};

/// Text that means to break lines, fields and screens.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\n",
        "\r",
        "\r\n",
        "|",
        "=",
        "\\",
        "\"",
        "{",
        "}",
        "]",
        "\0",
        "\u{85}",
        "\u{2028}",
        "\u{202e}",
        "\t",
        " ",
        "\u{1b}[2J",
        "é",
        "\u{1f600}",
        "CEF:0|a|b|c|d|e|1|",
        " dst=1.2.3.4",
        "\\=",
        "\\n",
        "<13>1 ",
        "89 ",
        "\u{fffd}",
    ]);
    prop::collection::vec(
        prop::strategy::Union::new([
            pieces.prop_map(str::to_owned).boxed(),
            any::<String>().boxed(),
        ]),
        0..6,
    )
    .prop_map(|pieces| pieces.concat())
}

fn record() -> impl Strategy<Value = Record> {
    let texts = prop::collection::vec(hostile(), 7);
    (
        texts,
        any::<[u8; 16]>(),
        any::<u8>(),
        any::<u64>(),
        any::<bool>(),
    )
        .prop_map(|(texts, comm, verdict, count, daemon)| {
            let [name, arguments, path, policy, workload, domain, basis] =
                <[String; 7]>::try_from(texts).expect("seven");
            if daemon {
                let event = DaemonEvent::PoliciesRejected {
                    generation: 4,
                    diagnostics: vec![name, arguments],
                };
                return Record::Daemon(Timestamp::UNIX_EPOCH, event);
            }
            let mut event = event();
            event.flow.verdict = verdict;
            let proc = ProcFs::at(Path::new("/nonexistent"));
            let facts = Enricher::new(SampleContext, proc).event(&event);
            let mut facts: Facts = Arc::unwrap_or_clone(facts);
            facts.process = Some(Process {
                pid: 7,
                uid: 1000,
                name: CommandName::new(comm),
                image: Some(Arc::new(ProcessImage {
                    executable: Some(path.clone()),
                    command_line: Some(arguments),
                    parent: Some(Parent {
                        pid: 1,
                        name: Some(CommandName::new(comm)),
                        executable: Some(path),
                    }),
                    cgroup: None,
                })),
            });
            facts.rule = facts.rule.map(|rule| {
                Arc::new(RuleInfo {
                    policy: policy.into(),
                    rule: name.into(),
                    legal_basis: vec![basis],
                    ..RuleInfo::clone(&rule)
                })
            });
            facts.workload = facts.workload.map(|known| {
                Arc::new(WorkloadInfo {
                    name: workload.into(),
                    ..WorkloadInfo::clone(&known)
                })
            });
            facts.destination.domain = Some(domain.into());
            Record::Violation(Violation {
                facts: Arc::new(facts),
                count,
                bytes: 0,
                start: Timestamp::UNIX_EPOCH,
                end: Timestamp::UNIX_EPOCH,
            })
        })
}

fn encode(format: Format, record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(format, &observer()).encode(record, 42, &mut out);
    out
}

proptest! {
    #[test]
    fn no_text_breaks_a_line(record in record()) {
        for (format, name) in Format::CHOICES {
            let line = String::from_utf8(encode(format, &record)).expect("UTF-8");
            prop_assert_eq!(line.find('\n'), Some(line.len() - 1), "{}", name);
            let controls = line.trim_end_matches('\n').contains(super::json::disturbs);
            prop_assert!(!controls, "{}: {:?}", name, line);
        }
    }

    #[test]
    fn ocsf_has_what_its_class_requires(record in record()) {
        let line = encode(Format::Ocsf, &record);
        let value: Value = serde_json::from_slice(&line).expect("JSON");
        let required = ["/activity_id", "/category_uid", "/class_uid", "/type_uid", "/severity_id",
            "/time", "/metadata/version", "/metadata/product/vendor_name", "/device/type_id"];
        for field in required {
            prop_assert!(value.pointer(field).is_some(), "no {} in {}", field, value);
        }
        prop_assert_eq!(&value["metadata"]["sequence"], &Value::from(42));
        let class = value["class_uid"].as_u64().expect("a number");
        let activity = value["activity_id"].as_u64().expect("a number");
        prop_assert_eq!(&value["type_uid"], &Value::from(class * 100 + activity));
    }

    #[test]
    fn cef_comes_apart_as_it_was_put_together(record in record()) {
        let line = String::from_utf8(encode(Format::Cef, &record)).expect("UTF-8");
        let bars = line.replace("\\\\", "").replace("\\|", "");
        let head: Vec<&str> = bars.splitn(8, '|').collect();
        prop_assert_eq!(head.len(), 8);
        prop_assert_eq!(&head[..4], ["CEF:0", "enforcer", "enforcer", "0.1.0"]);
        // An equals sign that is not escaped stands behind one of the keys.
        let extension = head[7].replace("\\=", "");
        for part in extension.split('=').rev().skip(1) {
            let key = part.rsplit(' ').next().unwrap_or_default();
            prop_assert!(!key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric()), "{:?}", key);
        }
    }
}

/// Writes records for validators of others to read: `ENFORCER_SAMPLES` names the directory.
#[test]
fn samples_for_other_readers() {
    let Some(directory) = std::env::var_os("ENFORCER_SAMPLES") else {
        return;
    };
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut files =
        Format::CHOICES.map(|(format, name)| (Encoder::new(format, &observer()), name, Vec::new()));
    for sequence in 1..=10_000 {
        let tree = record().new_tree(&mut runner).expect("a record");
        for (encoder, _, out) in &mut files {
            encoder.encode(&tree.current(), sequence, out);
        }
    }
    for (_, name, out) in files {
        std::fs::write(Path::new(&directory).join(name), out).expect("writes");
    }
}
