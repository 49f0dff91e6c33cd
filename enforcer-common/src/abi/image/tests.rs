use super::{
    Atom, CLASS_SLOTS, Chain, ClassEntry, ImageHeader, MatrixEntry, Node, Outcome, Ports, Proto,
    RuleId, Segment,
};
use crate::abi::{ClassId, Port};

#[test]
fn nodes_survive_packing() {
    for node in [
        Node::Leaf(Atom(0)),
        Node::Leaf(Atom::SPLIT),
        Node::Bucket {
            page: 255,
            offset: u16::MAX,
            steps: 16,
        },
        Node::Short {
            page: 3,
            offset: 65_504,
            steps: 5,
        },
        Node::Inner {
            page: 1,
            offset: 256,
        },
    ] {
        assert_eq!(Node::unpack(node.pack()), node);
    }
}

#[test]
fn matrix_entries_survive_packing() {
    for entry in [
        MatrixEntry::Outcome(Outcome {
            deny: true,
            audit: false,
            rule: RuleId(u16::MAX),
        }),
        MatrixEntry::Outcome(Outcome {
            deny: false,
            audit: true,
            rule: RuleId(1),
        }),
        MatrixEntry::List {
            page: 255,
            offset: u16::MAX,
            steps: 15,
        },
        MatrixEntry::Chain(Chain {
            page: 255,
            offset: u16::MAX,
        }),
    ] {
        assert_eq!(MatrixEntry::unpack(entry.pack()), entry);
    }
}

#[test]
fn segments_sort_by_protocol_then_port() {
    let keys = [
        Segment::key(Proto(5), Ports::ABSENT),
        Segment::key(Proto::TCP, Ports::is(Port(0))),
        Segment::key(Proto::TCP, Ports::is(Port(u16::MAX))),
        Segment::key(Proto::TCP, Ports::UNKNOWN),
        Segment::key(Proto(7), Ports::is(Port(0))),
        Segment::key(Proto(u8::MAX), Ports::ABSENT),
    ];
    assert!(keys.is_sorted());
    assert!(keys.iter().all(|&key| key < Segment::KEYS));
}

#[test]
fn classes_have_room_before_the_fences() {
    let last = ClassEntry::place(ClassId(CLASS_SLOTS - 1));
    assert!(last + ClassEntry::WORDS <= ImageHeader::FENCES);
}
