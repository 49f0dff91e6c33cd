//! What the kernel programs and userspace share.
//!
//! * [`abi`]: the bytes both sides agree on. Layouts are proven at compile time.
//! * [`verdict`]: the decision. Pure and total; the kernel runs it over maps, userspace over the
//!   compiled image in memory, so `explain` and the kernel cannot disagree.
//! * [`names`]: keys of names, made alike by the reading of DNS messages and by the compiler.
//!
//! No allocation, no panics, no `std`.
#![no_std]
// Inline assembly for BPF hides a comparison from the optimiser; see `verdict::search`.
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod abi;
pub mod names;
pub mod opaque;
pub mod sip;
pub mod verdict;
