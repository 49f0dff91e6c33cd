//! The kernel side of enforcer: contexts to flows, flows to verdicts, verdicts to actions.
//!
//! [`flow`] reads what the kernel gives, [`gate`] decides and acts, [`tables`] answers the decision
//! from maps, [`emit`] reports,
//! [`repeats`] spares a judgement that was made before. The hooks themselves stand in `main.rs`.
#![no_std]
#![expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a value would be copied, and the stack has 512 bytes for all calls together"
)]
// The atomic add of `emit`.
#![feature(asm_experimental_arch)]

pub mod conversations;
pub mod dns;
pub mod emit;
pub mod flow;
pub mod gate;
pub mod maps;
pub mod names;
pub mod repeats;
pub mod replies;
pub mod tables;
#[cfg(feature = "trace")]
pub mod trace;
