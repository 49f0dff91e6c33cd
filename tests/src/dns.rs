//! The reading of DNS answers, beside an implementation by others.

mod inputs;
mod ours;
mod reference;

pub use inputs::Inputs;
pub use ours::ours;
pub use reference::reference;

use enforcer_common::{
    abi::Addr,
    names::{NameKey, Seed},
};

/// The seed of both sides.
const SEED: Seed = Seed([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The question's name, then its aliases.
    pub names: Vec<NameKey>,
    /// Addresses, in order.
    pub addresses: Vec<Addr>,
    /// Least TTL of what was used, in seconds.
    pub ttl: u32,
}

/// Reads as many inputs on both sides; how many said anything.
///
/// # Errors
/// The first input on which they differ, with what each made of it.
pub fn compare(seed: u64, inputs: u64) -> Result<u64, String> {
    let mut source = Inputs::new(seed);
    let mut readable = 0;
    for number in 0..inputs {
        let bytes = source.next_message();
        let (ours, reference) = (ours(bytes).ok(), reference(bytes));
        if ours != reference {
            return Err(format!(
                "input {number} of seed {seed}: {bytes:02x?}\nours: {ours:?}\nreference: {reference:?}"
            ));
        }
        readable += u64::from(ours.is_some());
    }
    Ok(readable)
}
