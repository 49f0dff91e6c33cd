//! The reference: `hickory-proto` reads header, question, names and numbers; what they mean is said
//! here once more, without regard to speed.

use std::net::{Ipv4Addr, Ipv6Addr};

use enforcer_common::{
    abi::Addr,
    names::{MAX_JUMPS, MAX_NAMES, MAX_RECORDS, NameHasher as _, NameKey, NameKeyBuilder},
};
use hickory_proto::{
    op::{Header, MessageType, OpCode, Query},
    rr::{DNSClass, Name},
    serialize::binary::{BinDecodable as _, BinDecoder},
};

use super::{SEED, Said};

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// What the answer section says of the question; `None` where the message cannot be read, or is more
/// than is read.
#[must_use]
pub fn reference(bytes: &[u8]) -> Option<Said> {
    let mut decoder = BinDecoder::new(bytes);
    let header = Header::read(&mut decoder).ok()?;
    let is_answer = header.metadata.message_type == MessageType::Response
        && header.metadata.op_code == OpCode::Query
        && header.counts.queries == 1;
    if !is_answer || header.counts.answers > MAX_RECORDS || !few_jumps(bytes, decoder.index()) {
        return None;
    }
    let question = Query::read(&mut decoder).ok()?;
    if question.query_class() != DNSClass::IN {
        return None;
    }
    let mut chain = vec![question.name().to_lowercase()];
    let mut addresses = Vec::new();
    let mut ttl = u32::MAX;
    for _ in 0..header.counts.answers {
        let owner = name(bytes, &mut decoder)?.to_lowercase();
        let kind = decoder.read_u16().ok()?.unverified();
        let class = decoder.read_u16().ok()?.unverified();
        let seconds = decoder.read_u32().ok()?.unverified();
        let length = usize::from(decoder.read_u16().ok()?.unverified());
        let mut data = decoder.clone(u16::try_from(decoder.index()).ok()?);
        let octets = decoder.read_slice(length).ok()?.unverified();
        if class != u16::from(DNSClass::IN) {
            continue;
        }
        let is_wanted = chain.last() == Some(&owner);
        match kind {
            A => {
                let octets: [u8; 4] = octets.try_into().ok()?;
                if is_wanted {
                    addresses.push(Addr::from_v4(Ipv4Addr::from(octets).octets()));
                }
            }
            AAAA => {
                let octets: [u8; 16] = octets.try_into().ok()?;
                if is_wanted {
                    addresses.push(Addr::from_v6(Ipv6Addr::from(octets).octets()));
                }
            }
            CNAME => {
                let target = name(bytes, &mut data)?;
                if data.index() != decoder.index() {
                    return None;
                }
                if is_wanted {
                    chain.push(target.to_lowercase());
                }
            }
            _ => continue,
        }
        if is_wanted {
            // RFC 2181, 8.
            ttl = ttl.min(if seconds > i32::MAX.cast_unsigned() {
                0
            } else {
                seconds
            });
        }
    }
    if chain.len() > MAX_NAMES {
        return None;
    }
    Some(Said {
        names: chain.iter().map(key).collect(),
        addresses,
        ttl,
    })
}

fn name(bytes: &[u8], decoder: &mut BinDecoder<'_>) -> Option<Name> {
    if !few_jumps(bytes, decoder.index()) {
        return None;
    }
    Name::read(decoder).ok()
}

fn key(name: &Name) -> NameKey {
    let mut builder = NameKeyBuilder::new(&SEED);
    for label in name.iter() {
        builder.boundary(&SEED);
        for &byte in label {
            builder.byte(byte);
        }
    }
    builder.boundary(&SEED);
    builder.finish(&SEED)
}

/// Whether a name has no more pointers than are followed. Not a judgement of the name: one that cannot
/// be read has as many as can be counted.
fn few_jumps(bytes: &[u8], at: usize) -> bool {
    let mut at = at;
    let mut jumps = 0;
    while let Some(&length) = bytes.get(at) {
        match length {
            0 => break,
            1..=63 => at += usize::from(length) + 1,
            0xc0..=0xff => {
                let Some(&low) = bytes.get(at + 1) else {
                    break;
                };
                let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                jumps += 1;
                if target >= at || jumps > MAX_JUMPS {
                    break;
                }
                at = target;
            }
            64..=0xbf => break,
        }
    }
    jumps <= MAX_JUMPS
}
