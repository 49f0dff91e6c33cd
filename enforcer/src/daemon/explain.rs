//! Decisions told to people: the kernel's own decision, made over the image in memory.

mod destination;
#[cfg(feature = "kernel")]
mod workload;

use std::net::IpAddr;

use enforcer_common::{
    abi::Addr,
    verdict::{Decision, Verdict},
};
use jiff::Timestamp;

pub use destination::{Destination, DestinationError, Service, split};
#[cfg(feature = "kernel")]
pub(super) use workload::of_workload;

use crate::{
    compile::Image,
    control::{DatabaseAnswer, Explanation},
    geo::{Answer, GeoSet, SpecialRange},
    policy::{Action, Mode},
};

/// Tells where `decision` about `to` comes from. It was made with `image`, and the image with `geo`.
#[must_use]
pub fn explanation(
    to: &Destination,
    decision: &Decision,
    image: &Image,
    geo: &GeoSet,
) -> Explanation {
    let dst = to.flow().dst;
    let rule = image.rule(decision.rule);
    let located = geo.locate(dst);
    let unknown = located.special.is_none().then(|| "ZZ".to_owned());
    let named = located
        .answers
        .iter()
        .find(|answer| answer.location.country.is_some());
    let database = named
        .or(located.answers.first())
        .map(|answer| answer.database.name.clone());
    Explanation {
        to: to.to_string(),
        workload: None,
        verdict: verdict_name(decision.verdict).to_owned(),
        would_deny: decision.would_deny,
        reason: decision.reason.as_str().to_owned(),
        policy: rule.map(|rule| rule.policy.to_string()),
        rule: rule.map(|rule| rule.rule.as_deref().unwrap_or("default").to_owned()),
        action: rule.map(|rule| action_name(rule.action).to_owned()),
        mode: rule.map(|rule| mode_name(rule.mode).to_owned()),
        no_agreement: rule.and_then(|rule| rule.no_agreement.as_deref().map(str::to_owned)),
        file: rule.map(|rule| rule.at.file.to_path_buf()),
        line: rule.map(|rule| rule.at.line),
        column: rule.map(|rule| rule.at.column),
        country: located
            .country
            .map(|country| country.to_string())
            .or(unknown),
        asn: located.asn.map(|asn| asn.0),
        as_name: located.as_name.map(str::to_owned),
        anycast: located.anycast,
        range: located.special.map(SpecialRange::as_str).map(str::to_owned),
        judged: (located.judged != dst).then(|| text(located.judged)),
        database: database.unwrap_or_default(),
        databases: located.answers.iter().map(database_answer).collect(),
        countries_agree: located.countries_agree,
    }
}

fn database_answer(answer: &Answer<'_>) -> DatabaseAnswer {
    DatabaseAnswer {
        name: answer.database.name.clone(),
        built: Timestamp::try_from(answer.database.built)
            .map_or_else(|_| "unknown".to_owned(), |built| built.to_string()),
        country: answer.location.country.map(|country| country.to_string()),
        asn: answer.location.asn.map(|asn| asn.0),
        anycast: answer.location.anycast,
    }
}

pub(super) fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
        Verdict::Hold => "hold",
    }
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Deny => "deny",
    }
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Audit => "audit",
    }
}

/// As people write it, IPv4 without the prefix that maps it.
fn text(address: Addr) -> String {
    IpAddr::from(address.octets()).to_canonical().to_string()
}

#[cfg(test)]
mod tests {
    use enforcer_common::abi::{ClassId, Stance, Tag};

    use super::*;
    use crate::{
        compile::{Input, compile},
        policy::load_text,
    };

    const POLICY: &str = "\
apiVersion: enforcer.dev/v1alpha1
kind: EgressPolicy
metadata: {name: inside}
spec:
  selector: [{exec: true}]
  mode: enforce
  default: deny
  rules:
    - {name: private, action: allow, peers: [{cidrs: [10.0.0.0/8]}]}
";

    #[test]
    fn every_stance_of_a_cgroup_is_told() {
        let policies = load_text("inside.yaml", POLICY).expect("sound").policies;
        let geo = GeoSet::default();
        let image = compile(&Input::of(&policies, &[vec![0]], &geo)).expect("it fits");
        let judged = Tag::judged(ClassId(0));
        let cases = [
            (Some(judged), "10.1.1.1", "allow", "rule", Some("private")),
            (Some(judged), "8.8.8.8", "deny", "rule", Some("default")),
            (Some(judged), "127.0.0.1", "allow", "loopback", None),
            (
                Some(judged.isolated(8)),
                "10.1.1.1",
                "deny",
                "isolated",
                None,
            ),
            (
                Some(judged.isolated(7)),
                "10.1.1.1",
                "allow",
                "rule",
                Some("private"),
            ),
            (
                Some(Tag::standing(Stance::Release)),
                "8.8.8.8",
                "allow",
                "released",
                None,
            ),
            (
                Some(Tag::standing(Stance::UnknownHold)),
                "8.8.8.8",
                "hold",
                "unknown",
                None,
            ),
            (None, "8.8.8.8", "allow", "untagged", None),
        ];
        for (tag, to, verdict, reason, rule) in cases {
            let to: Destination = to.parse().expect("an address");
            let decision = image.decide_tagged(tag, 7, &to.flow(), &[]);
            let said = explanation(&to, &decision, &image, &geo);
            assert_eq!(
                (&*said.verdict, &*said.reason, said.rule.as_deref()),
                (verdict, reason, rule),
                "{tag:?} {to}"
            );
        }
    }
}
