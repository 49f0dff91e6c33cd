use std::io;

use enforcer_common::names::Seed;
use rustix::rand::{GetRandomFlags, getrandom};

/// A secret of its own for an instance.
///
/// # Errors
/// The kernel gives no random bytes.
pub(super) fn draw() -> io::Result<Seed> {
    let mut halves = [0_u64; 2];
    for half in &mut halves {
        let mut bytes = [0; 8];
        // Up to 256 bytes come whole (getrandom(2)).
        getrandom(&mut bytes, GetRandomFlags::empty())?;
        *half = u64::from_ne_bytes(bytes);
    }
    Ok(Seed(halves))
}
