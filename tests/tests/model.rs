//! The model answers the fixed table, and the generated cases are worth asking.

use enforcer::policy::Mode;
use enforcer_common::verdict::Verdict;
use enforcer_tests::{
    arb, cases,
    model::{self, World},
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

#[test]
fn the_model_answers_the_fixed_table() {
    let policies = cases::policies();
    let nat64 = cases::nat64();
    for row in cases::ROWS {
        let class: Vec<_> = row.class.iter().map(|&index| &policies[index]).collect();
        let flow = cases::flow(row.to, row.proto, row.ports);
        let geo = cases::geo(row.agreement);
        let world = World {
            geo: &geo,
            nat64: &nat64,
            now: cases::NOW,
            cluster_dns: &[],
        };
        let answer = model::decide(&class, &world, &flow, row.names);
        let by = answer.by.as_ref().map(model::By::to_string);
        let parts = (answer.verdict, answer.would_deny, by.as_deref());
        assert_eq!(parts, row.expect.parts(), "{row:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The most restrictive policy wins: one more never allows more, whatever it says.
    #[test]
    fn a_further_policy_never_allows_more(case in arb::case()) {
        for class in &case.classes {
            let all = case.policies_of(class);
            for (flow, names) in case.asked() {
                let with = model::decide(&all, &case.world(), flow, names);
                let without = model::decide(&all[1..], &case.world(), flow, names);
                prop_assert!(with.verdict >= without.verdict, "{flow:?}: {with:?} {without:?}");
            }
        }
    }

    #[test]
    fn audit_alone_never_refuses(case in arb::case()) {
        let audits: Vec<_> = case.policies.iter().filter(|it| it.mode == Mode::Audit).collect();
        for (flow, names) in case.asked() {
            let answer = model::decide(&audits, &case.world(), flow, names);
            prop_assert_eq!(answer.verdict, Verdict::Allow);
        }
    }
}

/// Cases that seldom reach a rule, or seldom refuse, would prove little about a compiler.
#[test]
fn generated_flows_reach_rules_and_both_verdicts() {
    let mut runner = TestRunner::deterministic();
    let (mut allowed_by_rule, mut denied_by_rule, mut flows) = (0, 0, 0);
    let mut decided_by_name = 0;
    for _ in 0..200 {
        let case = arb::case().new_tree(&mut runner).expect("a case").current();
        let class = case.policies_of(&case.classes[0]);
        for (flow, names) in case.asked() {
            let answer = model::decide(&class, &case.world(), flow, names);
            let by_rule = answer.by.is_some_and(|by| by.rule.is_some());
            allowed_by_rule += usize::from(by_rule && answer.verdict == Verdict::Allow);
            denied_by_rule += usize::from(by_rule && answer.verdict == Verdict::Deny);
            let nameless = model::decide(&class, &case.world(), flow, &[]);
            decided_by_name += usize::from(nameless.verdict != answer.verdict);
            flows += 1;
        }
    }
    assert!(
        decided_by_name * 200 > flows,
        "{decided_by_name} of {flows}"
    );
    for count in [allowed_by_rule, denied_by_rule] {
        assert!(
            count * 10 > flows,
            "{allowed_by_rule} and {denied_by_rule} of {flows}"
        );
    }
}
