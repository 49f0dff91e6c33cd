//! The kernel decides as userspace does: the same verdict, reason, rule and `would_deny`, bit for
//! bit, over the same pages.

use enforcer::{
    compile::{Image, Input, compile},
    geo::{Agreement, GeoSet},
    policy,
};
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Hook, Port, Ports, Proto, Stance, Tag},
    verdict::{Decision, Fault, Flow, Reason, Verdict},
};
use enforcer_tests::{
    arb, cases, lab,
    parity::{Parity, workload},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

/// Fails unless the kernel packs the decision that userspace made.
#[track_caller]
fn assert_same(kernel: &Parity, flow: &Flow, class: ClassId, expected: &Decision) {
    let flow = Flow {
        subject: workload(class),
        ..*flow
    };
    let packed = kernel.decide(&flow).expect("a run");
    let expected_packed = expected.pack();
    assert_eq!(
        packed, expected_packed,
        "{flow:?} of {class:?}: {packed:#010x} is not {expected_packed:#010x}, {expected:?}"
    );
}

#[track_caller]
fn assert_agree(kernel: &Parity, image: &Image, class: ClassId, flow: &Flow) -> Verdict {
    let expected = image.decide(class, flow, &[]);
    assert_same(kernel, flow, class, &expected);
    expected.verdict
}

/// The same, where the workload knows these names of the destination, and no others.
#[track_caller]
fn assert_agree_named(
    kernel: &mut Parity,
    image: &Image,
    class: ClassId,
    flow: &Flow,
    names: &[&str],
) -> Verdict {
    let keys = names.iter().filter_map(|name| image.name_key(name));
    let keys: Vec<_> = keys.collect();
    kernel
        .learn(workload(class), flow.dst, &keys)
        .expect("learnt");
    let expected = image.decide(class, flow, names);
    assert_same(kernel, flow, class, &expected);
    expected.verdict
}

#[test]
fn generated_cases() {
    let mut kernel = Parity::load().expect("the program");
    let mut runner = TestRunner::deterministic();
    let mut denied = 0;
    for _ in 0..48 {
        let case = arb::case().new_tree(&mut runner).expect("a case").current();
        let image = compile(&case.input()).expect("generated cases fit into an image");
        kernel.publish(image.pages()).expect("published");
        kernel.tag_classes(case.classes.len()).expect("tagged");
        for class in (0..case.classes.len()).map(|class| ClassId(class as u16)) {
            for (flow, names) in case.asked() {
                let verdict = assert_agree_named(&mut kernel, &image, class, flow, names);
                denied += usize::from(verdict == Verdict::Deny);
            }
        }
    }
    assert!(denied > 1000, "{denied}");
}

#[test]
fn the_fixed_table() {
    let mut kernel = Parity::load().expect("the program");
    let policies = cases::policies();
    let nat64 = cases::nat64();
    kernel.tag_classes(1).expect("tagged");
    for row in cases::ROWS {
        let geo = cases::geo(row.agreement);
        let classes = [row.class.to_vec()];
        let input = Input {
            nat64: &nat64,
            now: cases::NOW,
            ..Input::of(&policies, &classes, &geo)
        };
        let image = compile(&input).expect("the table fits into an image");
        kernel.publish(image.pages()).expect("published");
        let flow = cases::flow(row.to, row.proto, row.ports);
        let verdict = assert_agree_named(&mut kernel, &image, ClassId(0), &flow, row.names);
        assert_eq!(verdict, row.expect.parts().0, "{row:?}");
    }
}

/// One bound in a hundred of each family, and the addresses next to it.
#[test]
fn a_walk_through_the_world() {
    let mut kernel = Parity::load().expect("the program");
    let loaded = policy::load(&[lab::policy("sovereign-llm.yaml")]).expect("a policy");
    let geo = GeoSet::open(&[], Agreement::All).expect("the built-in database");
    let classes = [vec![0]];
    let image = compile(&Input::of(&loaded.policies, &classes, &geo))
        .expect("the world fits into an image");
    kernel.publish(image.pages()).expect("published");
    kernel.tag_classes(1).expect("tagged");
    let mut verdicts = [0_usize; 2];
    let mut walk = |dst: Addr| {
        let flow = Flow {
            subject: CgroupId(0),
            dst,
            proto: Proto::TCP,
            ports: Ports::is(Port(443)),
            hook: Hook::Connect,
        };
        let verdict = assert_agree(&kernel, &image, ClassId(0), &flow);
        verdicts[usize::from(verdict == Verdict::Allow)] += 1;
    };
    let database = &geo.databases[0];
    for &(start, _) in database.v4.iter().step_by(97) {
        for at in [start.wrapping_sub(1), start, start.wrapping_add(1)] {
            walk(Addr::from_v4(at.to_be_bytes()));
        }
    }
    for &(start, _) in database.v6.iter().step_by(97) {
        for at in [start.wrapping_sub(1), start, start.wrapping_add(1)] {
            walk(Addr::from_v6(at.to_be_bytes()));
        }
    }
    // A walk that met one verdict only would show little.
    assert!(verdicts.iter().all(|&count| count > 1000), "{verdicts:?}");
}

#[test]
fn tags_decide_who_is_judged() {
    let mut kernel = Parity::load().expect("the program");
    let flow = cases::flow("52.0.0.1", Proto::TCP, Ports::is(Port(443)));
    let stands = [
        (Stance::Release, Verdict::Allow, Reason::Released),
        (Stance::UnknownHold, Verdict::Hold, Reason::Unknown),
        (Stance::UnknownDeny, Verdict::Deny, Reason::Unknown),
        (Stance::UnknownAllow, Verdict::Allow, Reason::Unknown),
    ];
    let untagged = Decision::because(Verdict::Allow, Reason::Untagged);
    assert_same(&kernel, &flow, ClassId(0), &untagged);
    for (stance, verdict, reason) in stands {
        let tag = Tag::standing(stance);
        kernel.tag(workload(ClassId(0)), tag).expect("tagged");
        let expected = Decision::because(verdict, reason);
        assert_same(&kernel, &flow, ClassId(0), &expected);
    }
    let mut tag = Tag::standing(Stance::Release);
    tag.isolated_until = u64::MAX;
    kernel.tag(workload(ClassId(0)), tag).expect("tagged");
    let refused = Decision::because(Verdict::Deny, Reason::Isolated);
    assert_same(&kernel, &flow, ClassId(0), &refused);
    // Long past: the kernel compares with its own clock.
    tag.isolated_until = 1;
    kernel.tag(workload(ClassId(0)), tag).expect("tagged");
    let released = Decision::because(Verdict::Allow, Reason::Released);
    assert_same(&kernel, &flow, ClassId(0), &released);
}

#[test]
fn exceptions_are_a_class_of_their_own() {
    let mut kernel = Parity::load().expect("the program");
    let policies = cases::policies();
    let geo = cases::geo(Agreement::All);
    let classes = [vec![2], vec![2, 0]];
    let image = compile(&Input::of(&policies, &classes, &geo)).expect("it fits into an image");
    kernel.publish(image.pages()).expect("published");
    let isolated = Tag::judged(ClassId(0)).isolated(u64::MAX);
    let excepted = isolated.with_exceptions(ClassId(1));
    let over = Tag::judged(ClassId(0))
        .isolated(1)
        .with_exceptions(ClassId(1));
    let missing = isolated.with_exceptions(ClassId(7));
    let mut verdicts = Vec::new();
    for to in [
        "3.64.0.1",
        "6.6.6.6",
        "10.66.0.1",
        "127.0.0.1",
        "169.254.169.254",
    ] {
        let flow = cases::flow(to, Proto::TCP, Ports::is(Port(443)));
        for tag in [isolated, excepted, over, missing] {
            kernel.tag(workload(ClassId(0)), tag).expect("tagged");
            let expected = image.decide_tagged(Some(tag), 1 << 32, &flow, &[]);
            assert_same(&kernel, &flow, ClassId(0), &expected);
            verdicts.push((expected.verdict, expected.reason));
        }
    }
    let seen = |verdict, reason| verdicts.contains(&(verdict, reason));
    assert!(seen(Verdict::Deny, Reason::Isolated) && seen(Verdict::Allow, Reason::Rule));
    assert!(
        seen(Verdict::Deny, Reason::Fault(Fault::NoClass)),
        "{verdicts:?}"
    );
}

#[test]
fn what_is_missing_is_a_fault_for_tagged_cgroups_alone() {
    let mut kernel = Parity::load().expect("the program");
    let flow = cases::flow("52.0.0.1", Proto::TCP, Ports::is(Port(443)));
    kernel.tag_classes(2).expect("tagged");
    let untagged = Decision::because(Verdict::Allow, Reason::Untagged);
    assert_same(&kernel, &flow, ClassId(0), &Decision::fault(Fault::NoImage));
    assert_same(&kernel, &flow, ClassId(7), &untagged);

    let geo = cases::geo(Agreement::All);
    let image =
        compile(&Input::of(&cases::policies(), &[vec![0]], &geo)).expect("it fits into an image");
    kernel.publish(image.pages()).expect("published");
    assert_agree(&kernel, &image, ClassId(0), &flow);
    assert_same(&kernel, &flow, ClassId(1), &Decision::fault(Fault::NoClass));
    assert_same(&kernel, &flow, ClassId(7), &untagged);

    kernel.publish(&image.pages()[..1]).expect("published");
    assert_same(&kernel, &flow, ClassId(0), &Decision::fault(Fault::NoPage));
}
