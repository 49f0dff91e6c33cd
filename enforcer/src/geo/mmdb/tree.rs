//! The search tree, walked once from left to right.
//!
//! The crate `maxminddb` iterates too, but as it hands out one network at a time with everything
//! that can be asked of it, that costs twice the time of the walk here, on the way of every cold
//! start. Records are decoded by the crate.

use std::ops::{BitOr, Shr};

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
        let v4 = self.walk_from(v4_root, 1_u32 << 31, None)?;
        if self.v4_only {
            return Ok((v4, vec![(0, nothing)]));
        }
        let v6 = self.walk_from(0, 1_u128 << 127, Some(v4_root))?;
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

    /// Everything below `root`, whose children differ in bit `first`, but for the node `left_out`.
    ///
    /// A loop with a stack of its own: with calls it takes twice the time.
    fn walk_from<T>(
        &mut self,
        root: u32,
        first: T,
        left_out: Option<u32>,
    ) -> Result<Runs<T>, MaxMindDbError>
    where
        T: Copy + Default + PartialEq + BitOr<Output = T> + Shr<u32, Output = T>,
    {
        let (mut runs, mut to_do) = (Runs::new(), Vec::new());
        // The bit is the one that the children of the node differ in; 0 below the last.
        let (mut node, mut address, mut bit) = (root, T::default(), first);
        loop {
            while node < self.nodes && Some(node) != left_out {
                self.visit(bit == T::default())?;
                let (zero, one) = self.children(node);
                let next = bit >> 1;
                to_do.push((one, address | bit, next));
                (node, bit) = (zero, next);
            }
            push(&mut runs, address, Record(node.max(self.nodes)));
            let Some(next) = to_do.pop() else {
                return Ok(runs);
            };
            (node, address, bit) = next;
        }
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
