use enforcer_common::names::{Unread, read_answer};

use super::{SEED, Said};

/// What the code of the kernel programs makes of a message.
///
/// # Errors
/// Nothing is learnt from it.
pub fn ours(bytes: &[u8]) -> Result<Said, Unread> {
    let answer = read_answer(bytes, &SEED)?;
    let names = (0..answer.name_count()).filter_map(|at| answer.name(at).copied());
    Ok(Said {
        names: names.collect(),
        addresses: (0..answer.address_count())
            .filter_map(|at| answer.address(at))
            .collect(),
        ttl: answer.ttl,
    })
}
