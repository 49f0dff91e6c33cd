//! The compiler and the shared decision say what the naive model says.

use enforcer::{
    compile::{Image, Input, compile},
    policy::{Policy, Replies},
};
use enforcer_common::{
    abi::{ClassId, Tag},
    verdict::{Decision, Flow, Reason},
};
use enforcer_tests::{
    arb, cases,
    model::{self, Answer, By},
};
use proptest::prelude::*;

/// What the image says, in the model's words.
fn answer(image: &Image, class: usize, flow: &Flow, names: &[&str]) -> Answer {
    let decision: Decision = image.decide(ClassId(class as u16), flow, names);
    assert!(
        matches!(decision.reason, Reason::Rule | Reason::Loopback),
        "{flow:?}: {decision:?}"
    );
    let by = image.rule(decision.rule).map(|rule| By {
        policy: rule.policy.clone(),
        rule: rule.rule.clone(),
    });
    Answer {
        verdict: decision.verdict,
        would_deny: decision.would_deny,
        by,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_image_says_what_the_model_says(case in arb::case()) {
        let image = compile(&case.input()).expect("generated cases fit into an image");
        for (number, class) in case.classes.iter().enumerate() {
            let policies = case.policies_of(class);
            for (flow, names) in case.asked() {
                let expected = model::decide(&policies, &case.world(), flow, names);
                let said = answer(&image, number, flow, names);
                prop_assert_eq!(said, expected, "{:?} {:?}", flow, names);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Until the deadline what the exceptions and every policy allow passes and nothing else; from
    /// then on it is as if nothing had been.
    #[test]
    fn isolation_says_what_the_model_says(case in arb::case(), until in 1..u64::MAX) {
        let exceptions = case.policies.len() - 1;
        let own = case.classes.clone();
        // The last policy plays the exceptions, in a second class beside each class of the case.
        let with_exceptions = own.iter().map(|class| {
            let mut class = class.clone();
            class.push(exceptions);
            class.dedup();
            class
        });
        let mut case = case.clone();
        case.classes.extend(with_exceptions);
        case.policies[exceptions].replies = Replies::Judge;
        let image = compile(&case.input()).expect("generated cases fit into an image");
        for (number, class) in own.iter().enumerate() {
            let tag = Tag::judged(ClassId(number as u16)).isolated(until);
            let excepted = tag.with_exceptions(ClassId((own.len() + number) as u16));
            for (flow, names) in case.asked() {
                let keys: Vec<_> = names.iter().filter_map(|name| image.name_key(name)).collect();
                let decide = |tag, now| image.decide_tagged(Some(tag), now, flow, &keys);
                let policies = case.policies_of(class);
                let decided = |exceptions| {
                    model::decide_isolated(&policies, exceptions, &case.world(), flow, names)
                };
                prop_assert_eq!(decide(tag, until - 1).verdict, decided(None), "{:?}", flow);
                let exceptions = decided(Some(&case.policies[exceptions]));
                prop_assert_eq!(decide(excepted, until - 1).verdict, exceptions, "{:?}", flow);
                let own = image.decide(ClassId(number as u16), flow, names);
                prop_assert_eq!(decide(tag, until), own, "{:?}", flow);
                prop_assert_eq!(decide(excepted, until), own, "{:?}", flow);
            }
        }
    }
}

#[test]
fn the_image_answers_the_fixed_table() {
    let policies: Vec<Policy> = cases::policies();
    let nat64 = cases::nat64();
    for row in cases::ROWS {
        let geo = cases::geo(row.agreement);
        let classes = [row.class.to_vec()];
        let input = Input {
            nat64: &nat64,
            now: cases::NOW,
            ..Input::of(&policies, &classes, &geo)
        };
        let image = compile(&input).expect("the table fits into an image");
        let answer = answer(
            &image,
            0,
            &cases::flow(row.to, row.proto, row.ports),
            row.names,
        );
        let by = answer.by.as_ref().map(By::to_string);
        let parts = (answer.verdict, answer.would_deny, by.as_deref());
        assert_eq!(parts, row.expect.parts(), "{row:?}");
    }
}
