//! Policies and geo databases to an [`Image`]: the bytes that the kernel and `explain` decide from.
//!
//! ```text
//! peers ─▶ predicates ┐
//! databases ──────────┼─▶ partition ─▶ atoms ─▶ addresses (range tables) ┐
//! special ranges ─────┘      │                                           ├─▶ pages ─▶ Image
//! rules, ports ──────────────┴─▶ lists (class x atom) ─▶ matrix ─────────┘
//! ```

mod addresses;
mod diff;
mod flat;
mod image;
mod lists;
mod pages;
mod partition;
mod predicates;
mod provenance;

use enforcer_common::abi::{CLASS_SLOTS, ClassEntry, ClassId, ImageHeader, Nat64Prefix, RuleId};

pub use diff::{Service, VerdictChange, changed_verdicts};
pub use image::{Image, Usage};
pub use lists::ListUsage;
pub use partition::AddressUsage;
pub use provenance::Provenance;

use self::{
    lists::ClassLists,
    pages::{Arena, Header},
    partition::Partition,
    provenance::Rules,
};
use crate::{
    geo::GeoSet,
    policy::{Policy, Replies},
};

/// What an image is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Every loaded policy.
    pub policies: &'a [Policy],
    /// For each class, in the order of [`ClassId`]: indices into `policies`.
    pub classes: &'a [Vec<usize>],
    /// The databases.
    pub geo: &'a GeoSet,
    /// The operator's NAT64 prefixes.
    pub nat64: &'a [Nat64Prefix],
    /// Number of the image.
    pub generation: u64,
}

/// The policies are more than an image can hold.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Atoms are numbered with 16 bits.
    #[error(
        "the policies tell {atoms} kinds of addresses apart, and an image holds {most}; the largest \
         contributor is {largest}: split its lists over several nodes or use `regions`"
    )]
    TooManyAtoms {
        /// How many there would be.
        atoms: usize,
        /// How many fit.
        most: usize,
        /// The peer with the most networks and ASNs.
        largest: String,
    },
    /// Rules are numbered with 16 bits.
    #[error("{rules} rules, and an image holds {most}; the largest contributor is {largest}")]
    TooManyRules {
        /// How many there are.
        rules: usize,
        /// How many fit.
        most: usize,
        /// The policy with the most rules.
        largest: String,
    },
    /// Classes are entries of page 0.
    #[error(
        "workloads fall into {classes} classes (different sets of policies), and an image holds \
         {most}; use fewer, broader selectors"
    )]
    TooManyClasses {
        /// How many there are.
        classes: usize,
        /// How many fit.
        most: usize,
    },
    /// Tables are found by an 8-bit page number.
    #[error(
        "the address tables need {pages} pages of 256 KiB, and an image holds {most}; the largest \
         contributor is {largest}"
    )]
    TooManyPages {
        /// How many were needed when it was given up.
        pages: usize,
        /// How many fit.
        most: usize,
        /// The peer with the most networks.
        largest: String,
    },
    /// Prefixes are entries of page 0.
    #[error("{prefixes} NAT64 prefixes, and an image holds {most}")]
    TooManyNat64Prefixes {
        /// How many there are.
        prefixes: usize,
        /// How many fit.
        most: usize,
    },
}

/// Compiles an image.
///
/// # Errors
/// The policies are more than an image can hold; the error names the largest contributor.
pub fn compile(input: &Input<'_>) -> Result<Image, CompileError> {
    check_counts(input)?;
    let rules = Rules::number(input.policies)?;
    let partition = Partition::of(input)?;
    let mut arena = Arena::new();
    let tables = addresses::write(&mut arena, &partition);
    let lists = ClassLists::write(&mut arena, input, &partition, &rules);
    let pages = arena.finish().map_err(|pages| CompileError::TooManyPages {
        pages,
        most: Arena::MOST_PAGES,
        largest: partition.largest_contributor(),
    })?;
    let mut header = Header::of(pages, input, &tables, partition.atoms());
    header.append_matrix(&lists);
    header.append_tail(&tables.tail);
    for (number, class) in input.classes.iter().enumerate() {
        let judge = |&policy: &usize| input.policies[policy].replies == Replies::Judge;
        let entry = ClassEntry {
            judge_replies: class.iter().any(judge),
        };
        header.set_class(ClassId(number as u16), entry);
    }
    Ok(Image::new(
        header.finish(),
        rules,
        partition.usage(),
        lists.usage(),
    ))
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
