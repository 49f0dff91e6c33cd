//! Policies and geo databases to an [`Image`]: the bytes that the kernel and `explain` decide from.
//!
//! ```text
//! policies ─▶ resolve ─▶ predicates ┐
//!   now ──────┘  │      databases ──┼─▶ partition ─▶ atoms ─▶ addresses (range tables) ┐
//!                │  special ranges ─┘      │                                           ├─▶ pages ─▶ Image
//!                ├─ rules, ports ──────────┴─▶ lists (class x atom) ─▶ matrix, chains ─┤
//!                └─ conditions on names ─▶ names (index, sets, masks) ─────────────────┘
//! ```

mod addresses;
mod atlas;
mod chains;
mod classes;
mod comparison;
mod error;
mod flat;
mod image;
mod lists;
mod names;
mod pages;
mod partition;
mod predicates;
mod provenance;
mod resolve;
#[cfg(test)]
mod tests;

use enforcer_common::{
    abi::{Addr, CLASS_SLOTS, ImageHeader, Nat64Prefix, PAGE_BYTES, SocketTag},
    names::Seed,
};

pub use atlas::Atlas;
pub use comparison::{Comparison, Difference, Version};
pub use error::CompileError;
pub use image::{Image, Usage};
pub use lists::ListUsage;
pub use names::{NameUsage, PatternTexts};
pub use partition::AddressUsage;
pub use provenance::Provenance;

use self::{
    classes::Classes,
    lists::ClassLists,
    names::NameSets,
    pages::{Arena, Header},
    partition::Partition,
    provenance::Rules,
    resolve::Resolved,
};
use crate::{
    geo::GeoSet,
    policy::{Minute, Policy},
};

/// What an image is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Every loaded policy.
    pub policies: &'a [Policy],
    /// For each class, in the order of [`ClassId`](enforcer_common::abi::ClassId): indices into `policies`.
    pub classes: &'a [Vec<usize>],
    /// The databases.
    pub geo: &'a GeoSet,
    /// The operator's NAT64 prefixes.
    pub nat64: &'a [Nat64Prefix],
    /// Number of the image.
    pub generation: u64,
    /// The minute whose agreements count.
    pub now: Minute,
    /// The secret under which names are hashed. The same for every image of an instance.
    pub seed: Seed,
    /// What `cluster-dns` stands for: the resolvers of the node.
    pub cluster_dns: &'a [Addr],
}

impl<'a> Input<'a> {
    /// Policies in classes over databases, and the least of everything else: the first image, as of the
    /// first minute, of a node that is not known, under a seed that everybody knows. So it is not for
    /// an image that a kernel decides by with names of others.
    #[must_use]
    pub const fn of(policies: &'a [Policy], classes: &'a [Vec<usize>], geo: &'a GeoSet) -> Self {
        Self {
            policies,
            classes,
            geo,
            nat64: &[],
            generation: 1,
            now: Minute(0),
            seed: Seed([0; 2]),
            cluster_dns: &[],
        }
    }
}

/// Compiles an image.
///
/// # Errors
/// The policies are more than an image can hold; the error names the largest contributor.
pub fn compile(input: &Input<'_>) -> Result<Image, CompileError> {
    check_counts(input)?;
    let resolvers = resolve::resolvers(input);
    let Resolved {
        policies,
        predicates,
        conditions,
        until,
    } = Resolved::of(input, &resolvers);
    let rules = Rules::number(&policies)?;
    let names = NameSets::of(&conditions, &input.seed)?;
    let bits = classes::condition_bits(input, &policies)?;
    let partition = Partition::of(input, &predicates)?;
    let mut arena = Arena::new();
    let tables = addresses::write(&mut arena, &partition);
    let lists = ClassLists::write(&mut arena, input, &policies, &bits, &partition, &rules)?;
    let classes = Classes::write(&mut arena, input, &policies, &names, &bits)?;
    let pages = arena.finish().map_err(|pages| CompileError::TooManyPages {
        pages,
        most: Arena::MOST_PAGES,
        largest: partition.largest_contributor(),
    })?;
    let mut header = Header::of(pages, input, &tables, partition.atoms());
    header.append_matrix(&lists);
    header.append_tail(&tables.tail);
    header.append_socket_tags(&socket_tags(input));
    classes.append(&mut header, &names);
    let pages = header.finish();
    let usage = Usage {
        addresses: partition.usage(),
        lists: lists.usage(),
        names: names.usage(),
        bytes: pages.len() * PAGE_BYTES,
    };
    Ok(Image::new(pages, rules, names.into_texts(), usage, until))
}

/// For each class: of its policies, the first by name that says something, for mark and DSCP each.
fn socket_tags(input: &Input<'_>) -> Vec<SocketTag> {
    let of_class = |class: &Vec<usize>| {
        let mut policies: Vec<&Policy> = class.iter().map(|&it| &input.policies[it]).collect();
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        let tags = policies.into_iter().map(|policy| policy.tag);
        tags.fold(SocketTag::NONE, SocketTag::or)
    };
    input.classes.iter().map(of_class).collect()
}

fn check_counts(input: &Input<'_>) -> Result<(), CompileError> {
    let (classes, most) = (input.classes.len(), usize::from(CLASS_SLOTS));
    if classes > most {
        return Err(CompileError::TooManyClasses { classes, most });
    }
    let (prefixes, most) = (input.nat64.len(), usize::from(ImageHeader::NAT64_SLOTS));
    if prefixes > most {
        return Err(CompileError::TooManyNat64Prefixes { prefixes, most });
    }
    Ok(())
}
