//! Strategies of records: every kind, every field present and absent, and text that means harm.

mod daemon;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use enforcer::{
    events::{
        DatabaseRef, Facts, Finding, GeoAgreement, Mode, NamesInfo, Outcome, PlaceInfo, Record,
        RuleInfo, Violation, WorkloadInfo, WorkloadKind,
        record::{
            CommandName, Container, Destination, Parent, Placement, Process, ProcessImage, Source,
        },
    },
    geo::{Asn, CountryCode, SpecialRange},
};
use enforcer_common::{
    abi::{Addr, ClassId, Hook, Port, Proto},
    verdict::Reason,
};
use jiff::Timestamp;
use proptest::{
    char::range,
    collection::vec,
    option,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
};

/// What breaks lines, fields and screens, and what belongs to the formats.
const PIECES: [&str; 29] = [
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
    "\u{b}",
    "\u{1c}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{202e}",
    "\u{2066}",
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
    "\",\"event\":{\"kind\":\"",
];

/// Text that means to be more than text.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => select(&PIECES[..]).prop_map(str::to_owned),
        // Not `any::<String>()`: it compiles its regular expression for each of a million texts.
        1 => vec(any::<char>(), 0..6).prop_map(String::from_iter),
        1 => vec(range('a', 'z'), 1..9).prop_map(String::from_iter),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn name() -> impl Strategy<Value = Arc<str>> {
    hostile().prop_map(Arc::from)
}

/// Consumers have 64 bits with a sign.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..3_u64, 0..=i64::MAX as u64]
}

fn moment() -> impl Strategy<Value = Timestamp> {
    // From 1970 to 2262, where nanoseconds of 64 bits end.
    (0..=i64::MAX).prop_map(|ns| Timestamp::from_nanosecond(ns.into()).expect("in range"))
}

pub(super) fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        6 => violation().prop_map(Record::Violation),
        1 => finding().prop_map(Record::Finding),
        2 => (moment(), daemon::event()).prop_map(|(at, event)| Record::Daemon(at, event)),
    ]
}

fn violation() -> impl Strategy<Value = Violation> {
    (facts(), number(), number(), moment(), moment()).prop_map(|(facts, count, bytes, a, b)| {
        Violation {
            facts: Arc::new(facts),
            count,
            bytes,
            start: a.min(b),
            end: a.max(b),
        }
    })
}

fn finding() -> impl Strategy<Value = Finding> {
    let numbers = (number(), number(), number());
    let moments = (moment(), moment(), moment());
    (facts(), numbers, any::<bool>(), moments).prop_map(
        |(facts, (number, count, evidence), again, (since, start, end))| Finding {
            number,
            again,
            since,
            count,
            start,
            end,
            evidence,
            facts: Arc::new(facts),
        },
    )
}

fn facts() -> impl Strategy<Value = Facts> {
    let outcome = select(vec![
        Outcome::Denied,
        Outcome::WouldDeny,
        Outcome::Held,
        Outcome::Allowed,
        Outcome::Unknown,
    ]);
    let judged = (
        outcome,
        any::<u8>().prop_map(Reason::from_byte),
        (0..5_u8).prop_map(Hook::from_byte),
        number(),
        option::of(any::<u16>().prop_map(ClassId)),
        option::of(select(vec![Mode::Enforce, Mode::Audit])),
    );
    let who = (
        option::of(process()),
        option::of(name()),
        placement(),
        option::of(workload().prop_map(Arc::new)),
        option::of(rule().prop_map(Arc::new)),
    );
    (judged, destination(), option::of(source()), who).prop_map(
        |(judged, destination, source, who)| {
            let (outcome, reason, hook, generation, class, mode) = judged;
            let (process, cgroup, placement, workload, rule) = who;
            Facts {
                outcome,
                reason,
                hook,
                generation,
                class,
                mode,
                destination,
                source,
                process,
                cgroup,
                placement: Arc::new(placement),
                workload,
                rule,
            }
        },
    )
}

fn address() -> impl Strategy<Value = Addr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(Addr::from_v4),
        any::<[u8; 16]>().prop_map(Addr::from_v6),
    ]
}

fn port() -> impl Strategy<Value = Option<Port>> {
    option::of(any::<u16>().prop_map(Port))
}

/// Of one without an address and a port nobody makes a source.
fn source() -> impl Strategy<Value = Source> {
    let port = || any::<u16>().prop_map(Port);
    prop_oneof![
        (address(), option::of(port())).prop_map(|(addr, port)| (Some(addr), port)),
        port().prop_map(|port| (None, Some(port))),
    ]
    .prop_map(|(addr, port)| Source { addr, port })
}

fn destination() -> impl Strategy<Value = Destination> {
    (
        address(),
        option::of(address()),
        port(),
        any::<u8>().prop_map(Proto),
        names(),
        place(),
    )
        .prop_map(|(addr, judged, port, proto, names, place)| Destination {
            addr,
            judged,
            port,
            proto,
            names,
            place,
        })
}

fn names() -> impl Strategy<Value = NamesInfo> {
    (option::of(name()), vec(name(), 0..3))
        .prop_map(|(domain, patterns)| NamesInfo { domain, patterns })
}

fn place() -> impl Strategy<Value = PlaceInfo> {
    let built = any::<i32>().prop_map(|seconds| {
        let distance = Duration::from_secs(seconds.unsigned_abs().into());
        let epoch = SystemTime::UNIX_EPOCH;
        if seconds < 0 {
            epoch - distance
        } else {
            epoch + distance
        }
    });
    let database = (name(), built).prop_map(|(name, built)| Arc::new(DatabaseRef { name, built }));
    let agreement = vec![GeoAgreement::All, GeoAgreement::Any, GeoAgreement::Disagree];
    (
        option::of(country()),
        option::of(any::<u32>().prop_map(Asn)),
        option::of(name()),
        any::<bool>(),
        option::of(select(&SpecialRange::ALL[..]).prop_map(|(range, _)| range)),
        option::of(database),
        option::of(select(agreement)),
    )
        .prop_map(
            |(country, asn, as_name, anycast, range, database, agreement)| PlaceInfo {
                country,
                asn,
                as_name,
                anycast,
                range,
                database,
                agreement,
            },
        )
}

fn country() -> impl Strategy<Value = CountryCode> {
    (range('A', 'Z'), range('A', 'Z'))
        .prop_map(|(a, b)| CountryCode::parse(&String::from_iter([a, b])).expect("two letters"))
}

fn comm() -> impl Strategy<Value = CommandName> {
    let text = hostile().prop_map(|text| {
        let mut bytes = [0; 16];
        // In the middle of a character, as the kernel does.
        let length = text.len().min(15);
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        bytes
    });
    prop_oneof![text, any::<[u8; 16]>()].prop_map(CommandName::new)
}

fn process() -> impl Strategy<Value = Process> {
    let parent = (
        1..=i32::MAX as u32,
        option::of(comm()),
        option::of(hostile()),
    )
        .prop_map(|(pid, name, executable)| Parent {
            pid,
            name,
            executable,
        });
    let image = (
        option::of(hostile()),
        option::of(hostile()),
        option::of(parent),
        option::of(name()),
    )
        .prop_map(|(executable, command_line, parent, cgroup)| {
            Arc::new(ProcessImage {
                executable,
                command_line,
                parent,
                cgroup,
            })
        });
    (1..=i32::MAX as u32, any::<u32>(), comm(), option::of(image)).prop_map(
        |(pid, uid, name, image)| Process {
            pid,
            uid,
            name,
            image,
        },
    )
}

fn placement() -> impl Strategy<Value = Placement> {
    let id = any::<[u128; 2]>().prop_map(|[high, low]| format!("{high:032x}{low:032x}"));
    let uid = any::<(u32, u16, u16, u16, u32)>()
        .prop_map(|(a, b, c, d, e)| format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}"));
    prop_oneof![
        (uid, id.clone())
            .prop_map(|(uid, id)| Placement::from_path(&format!("/kubepods/pod{uid}/{id}"))),
        id.prop_map(|id| Placement::from_path(&format!("/machine.slice/libpod-{id}.scope"))),
        hostile().prop_map(|path| Placement::from_path(&path)),
        (hostile(), select(vec![None, Some("containerd")])).prop_map(|(id, runtime)| Placement {
            container: Some(Container { id, runtime }),
            pod_uid: None,
        }),
    ]
}

fn workload() -> impl Strategy<Value = WorkloadInfo> {
    let pod = (name(), name()).prop_map(|(namespace, pod)| WorkloadKind::Pod { namespace, pod });
    let kind = prop_oneof![
        2 => pod,
        1 => Just(WorkloadKind::SystemdUnit),
        1 => Just(WorkloadKind::Cgroup),
        1 => Just(WorkloadKind::Exec),
    ];
    (name(), kind).prop_map(|(name, kind)| WorkloadInfo { name, kind })
}

fn rule() -> impl Strategy<Value = RuleInfo> {
    (
        (name(), name(), hostile(), any::<u32>()),
        option::of(name()),
        select(vec![Mode::Enforce, Mode::Audit]),
        vec(hostile(), 0..3),
        vec(hostile(), 0..3),
    )
        .prop_map(
            |((policy, rule, file, line), no_agreement, mode, data_categories, legal_basis)| {
                RuleInfo {
                    policy,
                    rule,
                    file: Path::new(&file).into(),
                    line,
                    no_agreement,
                    mode,
                    data_categories,
                    legal_basis,
                }
            },
        )
}
