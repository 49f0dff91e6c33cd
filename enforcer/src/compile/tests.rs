//! What only the compiler knows: sizes, limits, and what changes by itself. That its answers are right
//! is what the model is compared with.

use std::fmt::Write as _;

use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Hook, NameMask, Port, Ports, Proto},
    verdict::{Flow, Verdict, has_names, is_resolver},
};

use super::*;
use crate::policy::{Loaded, load_at};

const NOW: Minute = Minute(29_000_000);
const CLUSTER_DNS: Addr = Addr::from_v4([10, 96, 0, 10]);

fn load(text: &str) -> Loaded {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.yaml");
    std::fs::write(&path, text).expect("a file");
    load_at(&[path], NOW).unwrap_or_else(|error| panic!("{error}"))
}

/// A policy that allows what the rules say.
fn policy(name: &str, spec: &str, rules: &str) -> String {
    format!(
        "---\napiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: {name}}}\n\
         spec:\n  selector: [{{exec: true}}]\n{spec}  rules:\n{rules}"
    )
}

const DNS: &str = "  dns: {resolvers: [10.0.0.53, cluster-dns]}\n";

fn allow(name: &str, peer: &str) -> String {
    format!("    - {{name: {name}, action: allow, peers: [{{{peer}}}]}}\n")
}

fn image_of(policies: &[Policy], now: Minute) -> Result<Image, CompileError> {
    compile(&Input {
        now,
        cluster_dns: &[CLUSTER_DNS],
        ..Input::of(
            policies,
            &[(0..policies.len()).collect()],
            &GeoSet::default(),
        )
    })
}

fn verdict(image: &Image, to: [u8; 4], names: &[&str]) -> Verdict {
    let flow = Flow {
        subject: CgroupId(1),
        dst: Addr::from_v4(to),
        proto: Proto::TCP,
        ports: Ports::is(Port(443)),
        hook: Hook::Connect,
    };
    image.decide(ClassId(0), &flow, names).verdict
}

#[test]
fn eleven_thousand_names_in_one_list_are_one_set() {
    let mut list = String::new();
    for number in 0..10_000 {
        write!(list, "host-{number}.names.example, ").expect("strings grow");
    }
    for number in 0..1000 {
        write!(list, "\"*.zone-{number}.example\", ").expect("strings grow");
    }
    let text = policy("names", DNS, &allow("many", &format!("fqdns: [{list}]")));
    let image = image_of(&load(&text).policies, NOW).expect("it fits");
    let usage = image.usage().names;
    assert_eq!((usage.patterns, usage.sets), (11_000, 1));
    let to = [192, 0, 2, 1];
    for (name, expected) in [
        ("host-0.names.example", Verdict::Allow),
        ("HOST-9999.Names.Example.", Verdict::Allow),
        ("host-10000.names.example", Verdict::Deny),
        ("a.b.zone-999.example", Verdict::Allow),
        ("zone-999.example", Verdict::Deny),
        ("zone-1000.example", Verdict::Deny),
    ] {
        assert_eq!(verdict(&image, to, &[name]), expected, "{name}");
    }
    assert_eq!(verdict(&image, to, &[]), Verdict::Deny);
    assert_eq!(
        verdict(&image, to, &["other.example", "host-1.names.example"]),
        Verdict::Allow
    );
}

#[test]
fn only_classes_with_names_have_names() {
    let plain = policy("plain", DNS, &allow("all", "cidrs: [0.0.0.0/0]"));
    let image = image_of(&load(&plain).policies, NOW).expect("it fits");
    assert!(!has_names(&image.pages()[0], ClassId(0)));
    assert_eq!(image.usage().names, NameUsage::default());
    assert_eq!(image.usage().lists.chains, 0);
}

#[test]
fn an_answer_counts_when_every_policy_with_names_approves() {
    let both = policy("one", DNS, &allow("a", "fqdns: [a.example]"))
        + &policy(
            "two",
            "  dns: {resolvers: [cluster-dns, 10.0.0.54]}\n",
            &allow("b", "fqdns: [b.example]"),
        )
        + &policy("three", "", &allow("c", "cidrs: [0.0.0.0/0]"));
    let image = image_of(&load(&both).policies, NOW).expect("it fits");
    let believed = |address| is_resolver(&image, ClassId(0), address);
    assert!(believed(CLUSTER_DNS));
    for other in [[10, 0, 0, 53], [10, 0, 0, 54], [0; 4]] {
        assert!(!believed(Addr::from_v4(other)), "{other:?}");
    }
    assert!(!is_resolver(&image, ClassId(1), CLUSTER_DNS));
}

#[test]
fn more_lists_than_a_mask_has_bits_are_refused() {
    let rules = |lists: usize| {
        let rule = |number| {
            allow(
                &format!("r{number}"),
                &format!("fqdns: [h{number}.example]"),
            )
        };
        (0..lists).map(rule).collect::<String>()
    };
    let most = NameMask::CONDITIONS as usize;
    let fits = load(&policy("lists", DNS, &rules(most)));
    assert!(image_of(&fits.policies, NOW).is_ok());
    let over = load(&policy("lists", DNS, &rules(most + 1)));
    let error = image_of(&over.policies, NOW)
        .err()
        .expect("too many")
        .to_string();
    assert!(
        error.contains("64 different lists of names, and 63 fit"),
        "{error}"
    );
    assert!(error.contains("policy `lists`"), "{error}");
}

#[test]
fn a_chain_without_an_end_is_refused() {
    let rules: String = (0..50)
        .map(|number| {
            allow(
                &format!("r{number}"),
                &format!("fqdns: [h{number}.example]"),
            )
        })
        .collect();
    let text: String = (0..3)
        .map(|number| policy(&format!("p{number}"), DNS, &rules))
        .collect();
    let error = image_of(&load(&text).policies, NOW)
        .err()
        .expect("too long");
    assert!(
        matches!(error, CompileError::ChainTooLong { steps: 150, .. }),
        "{error}"
    );
}

#[test]
fn an_agreement_ends_in_its_minute() {
    let end = Minute(NOW.0 + 90);
    let text = policy(
        "strict",
        "  default: allow\n  requireDpa: true\n  dns: {resolvers: [10.0.0.53]}\n",
        &(allow("own", "providers: [own]") + &allow("all", "cidrs: [0.0.0.0/0]")),
    ) + &format!(
        "---\napiVersion: enforcer.dev/v1alpha1\nkind: Provider\nmetadata: {{name: own}}\n\
         spec:\n  endpoints: [{{hosts: [own.example], cidrs: [192.0.2.0/24]}}]\n  \
         dpa: {{status: signed, expires: {end}}}\n"
    );
    let policies = load(&text).policies;
    let before = image_of(&policies, Minute(end.0 - 1)).expect("it fits");
    assert_eq!(before.until(), Some(end));
    let after = image_of(&policies, end).expect("it fits");
    assert_eq!(after.until(), None);
    let elsewhere = [198, 51, 100, 1];
    for (to, names, expected) in [
        ([192, 0, 2, 1], &[][..], Verdict::Deny),
        (elsewhere, &["own.example"][..], Verdict::Deny),
        (elsewhere, &["other.example"][..], Verdict::Allow),
        (elsewhere, &[][..], Verdict::Allow),
    ] {
        assert_eq!(
            verdict(&before, to, names),
            Verdict::Allow,
            "{to:?} {names:?}"
        );
        assert_eq!(verdict(&after, to, names), expected, "{to:?} {names:?}");
    }
    let denial = after.rules().find(|(_, rule)| rule.no_agreement.is_some());
    let (_, denial) = denial.expect("a denial");
    assert_eq!(denial.rule.as_deref(), Some("own"));
    assert_eq!(denial.no_agreement.as_deref(), Some("own"));
}
