use super::{Atom, ListEntry, MatrixEntry, Node, Port, Proto, RuleId};

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
        MatrixEntry::Decision {
            deny: true,
            audit: false,
            rule: RuleId(u16::MAX),
        },
        MatrixEntry::Decision {
            deny: false,
            audit: true,
            rule: RuleId(1),
        },
        MatrixEntry::List {
            page: 255,
            offset: u16::MAX,
            length: 127,
        },
    ] {
        assert_eq!(MatrixEntry::unpack(entry.pack()), entry);
    }
}

#[test]
fn list_entries_survive_packing() {
    for ports in [
        None,
        Some((Port(0), Port(u16::MAX))),
        Some((Port(443), Port(443))),
    ] {
        for bits in 0..8 {
            let entry = ListEntry {
                rule: RuleId(0xabcd),
                proto: Proto::TCP,
                ports,
                deny: bits & 1 != 0,
                audit: bits & 2 != 0,
                starts_section: bits & 4 != 0,
            };
            assert_eq!(ListEntry::unpack(entry.pack()), entry);
        }
    }
}
