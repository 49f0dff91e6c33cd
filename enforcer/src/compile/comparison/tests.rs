use enforcer_common::{
    abi::{ClassId, Stance, Tag},
    verdict::Verdict,
};

use super::{Comparison, Difference, Version};
use crate::{
    compile::{Atlas, Input, compile},
    geo::GeoSet,
    policy::{Policy, load_text},
};

fn policies(rules: &str) -> Vec<Policy> {
    let text = format!(
        "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: p}}\n\
         spec:\n  selector: [{{exec: true}}]\n  default: deny\n  rules:\n{rules}"
    );
    load_text("p.yaml", &text).expect("sound").policies
}

fn differences(before: &str, after: &str, tags: [Option<Tag>; 2]) -> Vec<Difference> {
    let (before, after, geo) = (policies(before), policies(after), GeoSet::default());
    let classes = [vec![0]];
    let input = |policies| Input::of(policies, &classes, &geo);
    let inputs = [input(&before[..]), input(&after[..])];
    let images = inputs.map(|input| compile(&input).expect("it fits"));
    let atlases = inputs.map(|input| Atlas::of(&input).expect("it fits"));
    let version = |at: usize| Version {
        image: &images[at],
        atlas: &atlases[at],
        policies: inputs[at].policies,
    };
    Comparison::of(version(0), version(1), &geo).differences(tags[0], tags[1])
}

const JUDGED: Option<Tag> = Some(Tag::judged(ClassId(0)));
const WIDE: &str =
    "    - {name: a, action: allow, peers: [{cidrs: [10.0.0.0/8]}], ports: [443/tcp]}\n";

#[test]
fn the_same_policies_differ_in_nothing() {
    assert!(differences(WIDE, WIDE, [JUDGED; 2]).is_empty());
}

#[test]
fn a_network_that_goes_is_told_with_its_size_and_ports() {
    let narrow = WIDE.replace("10.0.0.0/8]", "10.0.0.0/8], except: [10.1.0.0/16]");
    let found = differences(WIDE, &narrow, [JUDGED; 2]);
    let [only] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(only.services, ["443/tcp"]);
    assert_eq!(
        (only.before.verdict, only.after.verdict),
        (Verdict::Allow, Verdict::Deny)
    );
    assert_eq!((only.extent.addresses, only.extent.networks), (1 << 16, 0));
    assert_eq!(only.extent.places, ["private"]);
    let example = only.extent.example.map(|it| it.to_string());
    assert_eq!(example.as_deref(), Some("10.1.0.0"));
}

#[test]
fn ports_that_come_are_told_as_a_range() {
    let more = WIDE.replace("443/tcp", "443-445/tcp");
    let found = differences(WIDE, &more, [JUDGED; 2]);
    let services: Vec<_> = found.iter().map(|it| it.services.clone()).collect();
    assert_eq!(services, [["444-445/tcp"]]);
}

#[test]
fn a_workload_that_comes_under_a_policy_loses_all_that_it_refuses() {
    let released = Some(Tag::standing(Stance::Release));
    let found = differences(WIDE, WIDE, [released, JUDGED]);
    let whole = &found[0];
    assert_eq!(whole.services, ["any"]);
    // All of IPv4 but 10/8, whose port 443 passes, and loopback.
    assert_eq!(whole.extent.addresses, (1 << 32) - 2 * (1 << 24));
    assert!(whole.extent.networks > 1 << 60);
    assert!(
        found[1].services.contains(&"0-442/tcp".to_owned()),
        "{found:?}"
    );
    assert!(differences(WIDE, WIDE, [released; 2]).is_empty());
}
