//! The search tree, walked once from left to right.
//!
//! The crate `maxminddb` iterates too, but as it hands out one network at a time with everything
//! that can be asked of it, that costs twice the time of the walk here, on the way of every cold
//! start. Records are decoded by the crate.

use maxminddb::{MaxMindDbError, Metadata};

/// A tree that shares more nodes than aliases of IPv4 explain is no tree; walking it could take for
/// ever.
const VISITS_PER_NODE: usize = 16;

/// Starts of ranges with the same record, ascending; the first is 0.
pub(super) type Runs<T> = Vec<(T, Record)>;

/// A record of the tree that is not a node: data, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Record(pub(super) u32);

/// The tree of one database.
pub(super) struct Tree<'a> {
    bytes: &'a [u8],
    nodes: u32,
    node_bytes: usize,
    v4_only: bool,
    visits_left: usize,
}

impl<'a> Tree<'a> {
    pub(super) fn new(file: &'a [u8], metadata: &Metadata) -> Result<Self, MaxMindDbError> {
        let nodes = metadata.node_count;
        let node_bytes = usize::from(metadata.record_size) / 4;
        let bytes = file.get(..nodes as usize * node_bytes);
        Ok(Self {
            bytes: bytes.ok_or_else(|| broken("the search tree reaches beyond the file"))?,
            nodes,
            node_bytes,
            v4_only: metadata.ip_version == 4,
            visits_left: VISITS_PER_NODE * nodes as usize,
        })
    }

    /// All of IPv4, then all of IPv6. IPv4 inside IPv6, at its place or by an alias, is left out of
    /// the latter: nobody looks there.
    pub(super) fn walk(mut self) -> Result<(Runs<u32>, Runs<u128>), MaxMindDbError> {
        let nothing = Record(self.nodes);
        let v4_root = self.v4_root();
        let mut v4 = Vec::new();
        self.walk_v4(v4_root, 0, 1 << 31, &mut v4)?;
        if self.v4_only {
            return Ok((v4, vec![(0, nothing)]));
        }
        let mut v6 = Vec::new();
        self.walk_v6(0, 0, 1 << 127, v4_root, &mut v6)?;
        Ok((v4, v6))
    }

    /// `::/96`, or what ends above it.
    fn v4_root(&self) -> u32 {
        let mut node = 0;
        if !self.v4_only {
            for _ in 0..96 {
                if node >= self.nodes {
                    break;
                }
                node = self.children(node).0;
            }
        }
        node
    }

    /// `bit` is the one that the children of `node` differ in; 0 below the last.
    fn walk_v4(
        &mut self,
        node: u32,
        address: u32,
        bit: u32,
        runs: &mut Runs<u32>,
    ) -> Result<(), MaxMindDbError> {
        if node >= self.nodes {
            push(runs, address, Record(node));
            return Ok(());
        }
        self.visit(bit == 0)?;
        let (zero, one) = self.children(node);
        self.walk_v4(zero, address, bit >> 1, runs)?;
        self.walk_v4(one, address | bit, bit >> 1, runs)
    }

    fn walk_v6(
        &mut self,
        node: u32,
        address: u128,
        bit: u128,
        v4_root: u32,
        runs: &mut Runs<u128>,
    ) -> Result<(), MaxMindDbError> {
        if node >= self.nodes {
            push(runs, address, Record(node));
            return Ok(());
        }
        if node == v4_root {
            push(runs, address, Record(self.nodes));
            return Ok(());
        }
        self.visit(bit == 0)?;
        let (zero, one) = self.children(node);
        self.walk_v6(zero, address, bit >> 1, v4_root, runs)?;
        self.walk_v6(one, address | bit, bit >> 1, v4_root, runs)
    }

    fn visit(&mut self, too_deep: bool) -> Result<(), MaxMindDbError> {
        self.visits_left = self.visits_left.saturating_sub(1);
        if too_deep || self.visits_left == 0 {
            return Err(broken("the search tree runs in circles"));
        }
        Ok(())
    }

    /// The two records of a node below `self.nodes`.
    #[inline]
    fn children(&self, node: u32) -> (u32, u32) {
        let at = node as usize * self.node_bytes;
        match self.bytes[at..at + self.node_bytes] {
            [a, b, c, d, e, f] => (be([0, a, b, c]), be([0, d, e, f])),
            [a, b, c, high, d, e, f] => (be([high >> 4, a, b, c]), be([high & 15, d, e, f])),
            [a, b, c, d, e, f, g, h] => (be([a, b, c, d]), be([e, f, g, h])),
            // The reader refuses other sizes; nothing is what such a node would say.
            _ => (self.nodes, self.nodes),
        }
    }
}

fn push<T>(runs: &mut Runs<T>, address: T, record: Record) {
    if runs.last().is_none_or(|&(_, before)| before != record) {
        runs.push((address, record));
    }
}

fn be(bytes: [u8; 4]) -> u32 {
    u32::from_be_bytes(bytes)
}

fn broken(what: &str) -> MaxMindDbError {
    MaxMindDbError::invalid_database(what)
}
