//! A damaged image gives the same answers in the kernel and in userspace, and most often a fault.

use enforcer::compile::compile;
use enforcer_common::{
    abi::{Addr, ClassId, ImageHeader, NameMask, Page, Tag},
    verdict::{Decision, Flow, Judgement, Names, Pages, Reason, Tables, decide, judge},
};
use enforcer_tests::{
    arb,
    parity::{Parity, workload},
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree,
    test_runner::TestRunner,
};

/// Pages in memory, asked by a workload of one class.
struct InMemory<'a> {
    pages: &'a [Page],
    class: ClassId,
}

impl Pages for InMemory<'_> {
    fn page(&self, number: u32) -> Option<&Page> {
        self.pages.get(number as usize)
    }
}

impl Tables for InMemory<'_> {
    fn tag(&self, _flow: &Flow) -> Option<Tag> {
        Some(Tag::judged(self.class))
    }

    fn judge(&self, class: ClassId, dst: Addr, key: u32, names: Names) -> Judgement {
        judge(self, class, dst, key, names)
    }

    fn names(&self, _flow: &Flow, _class: ClassId) -> Names {
        let generation = self.pages[0].double(ImageHeader::GENERATION / 2);
        Names::in_image(NameMask::NONE, generation)
    }

    fn is_reply(&self, _flow: &Flow) -> bool {
        false
    }

    fn now_ns(&self) -> u64 {
        0
    }
}

/// Where to write what.
#[derive(Clone, Debug)]
enum Damage {
    /// A word of the header.
    Header(u16, u32),
    /// A word of any page, most of which are not zero near the front.
    Anywhere(Index, u16, u32),
    /// One bit of every word of a page that is not zero.
    Bit(Index, u8),
    /// The last pages are missing.
    Short(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let word = prop_oneof![
        any::<u32>(),
        select(&[0, 1, 0xffff, u32::MAX, 1 << 31, 1 << 30][..]),
        // A small number may be that of another page.
        0..16_u32,
    ];
    prop_oneof![
        (0..ImageHeader::NAT64, word.clone()).prop_map(|(at, word)| Damage::Header(at, word)),
        (any::<Index>(), 0..2048_u16, word)
            .prop_map(|(page, at, word)| { Damage::Anywhere(page, at, word) }),
        (any::<Index>(), 0..32_u8).prop_map(|(page, bit)| Damage::Bit(page, bit)),
        any::<Index>().prop_map(Damage::Short),
    ]
}

impl Damage {
    fn apply(&self, pages: &mut Vec<Page>) {
        match self {
            Self::Header(at, word) => pages[0].set_word(*at, *word),
            Self::Anywhere(page, at, word) => page.get_mut(pages).set_word(*at, *word),
            Self::Bit(page, bit) => {
                let page = page.get_mut(pages);
                for at in (0..=u16::MAX).filter(|&at| at % 7 == 0) {
                    match page.word(at) {
                        0 => {}
                        word => page.set_word(at, word ^ 1 << bit),
                    }
                }
            }
            Self::Short(left) => pages.truncate(left.index(pages.len()) + 1),
        }
    }
}

#[test]
fn both_sides_make_the_same_of_damage() {
    let mut kernel = Parity::load().expect("the program");
    let mut runner = TestRunner::deterministic();
    let cases = (arb::case(), vec(vec(damage(), 1..4), 8));
    let mut faults = 0;
    for _ in 0..12 {
        let (case, damages) = cases.new_tree(&mut runner).expect("a case").current();
        let image = compile(&case.input()).expect("generated cases fit into an image");
        kernel.tag_classes(case.classes.len()).expect("tagged");
        for damages in damages {
            let mut pages = image.pages().to_vec();
            for damage in &damages {
                damage.apply(&mut pages);
            }
            kernel.publish(&pages).expect("published");
            for (number, flow) in case.flows.iter().enumerate() {
                let class = ClassId((number % case.classes.len()) as u16);
                let flow = Flow {
                    subject: workload(class),
                    ..*flow
                };
                let pages = &pages;
                let expected: Decision = decide(&InMemory { pages, class }, &flow);
                let packed = kernel.decide(&flow).expect("a run");
                assert_eq!(packed, expected.pack(), "{damages:?} {flow:?} {expected:?}");
                faults += usize::from(matches!(expected.reason, Reason::Fault(_)));
            }
        }
    }
    assert!(faults > 500, "{faults}");
}
