//! DNS answers, read as the kernel programs read them.

use std::hint::black_box;

use anyhow::{Result, anyhow, ensure};
use enforcer_common::names::{HEADER_BYTES, Seed, read_answer};

use crate::counted::Counted;

const SEED: Seed = Seed([1, 2]);

/// An answer with one alias and four addresses.
pub(super) fn read(counted: &mut Counted) -> Result<()> {
    const TIMES: usize = 1024;
    let message = message();
    let mut addresses = 0;
    counted.stage("dns-answer", TIMES, || {
        for _ in 0..TIMES {
            let answer =
                read_answer(black_box(&message), &SEED).map_err(|why| anyhow!("{why:?}"))?;
            addresses += answer.address_count() as usize;
        }
        Ok(())
    })?;
    ensure!(addresses == 4 * TIMES, "{addresses} addresses");
    Ok(())
}

/// `api.example.com` is an alias of `edge.cdn.example.net`, which has four addresses (RFC 1035, 4.1).
fn message() -> Vec<u8> {
    const POINTER_TO_QUESTION: [u8; 2] = [0xc0, HEADER_BYTES as u8];
    let mut bytes = vec![0, 7, 0x81, 0x80, 0, 1, 0, 5, 0, 0, 0, 0];
    name(&mut bytes, "api.example.com");
    bytes.extend([0, 1, 0, 1]);
    bytes.extend(POINTER_TO_QUESTION);
    bytes.extend([0, 5, 0, 1, 0, 0, 1, 44, 0, 22]);
    let alias = bytes.len() as u8;
    name(&mut bytes, "edge.cdn.example.net");
    for last in 1..=4 {
        bytes.extend([0xc0, alias, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4]);
        bytes.extend([192, 0, 2, last]);
    }
    bytes
}

fn name(bytes: &mut Vec<u8>, text: &str) {
    for label in text.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
}
