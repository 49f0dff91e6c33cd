//! The answer section: from the question along its aliases to addresses.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    key::NameKey,
    message::{Bytes, CLASS_INTERNET, NameReader, Unread},
};
use crate::abi::Addr;

/// Most records of an answer section that is read.
pub const MAX_RECORDS: u16 = 64;
/// Most addresses of an answer: one for each record.
pub const MAX_ADDRESSES: usize = MAX_RECORDS as usize;
/// Most names of an answer: the question's and its aliases'. Resolvers follow about as many.
pub const MAX_NAMES: usize = 16;

/// RFC 1035, 3.2.2 and RFC 3596, 2.1.
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;

/// What an answer says: every one of the names has every one of the addresses.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Answer {
    names: [NameKey; MAX_NAMES],
    addresses: [Addr; MAX_ADDRESSES],
    name_count: u32,
    address_count: u32,
    /// Seconds for which all of it holds: the least of the records that were used (RFC 2181, 8).
    pub ttl: u32,
    /// Always zero.
    reserved: u32,
}

impl Answer {
    /// Nothing but the question's name; in place, for the kernel has no room to move it.
    #[inline(always)]
    pub fn begin(&mut self, question: &NameKey) {
        self.names[0] = *question;
        self.name_count = 1;
        self.address_count = 0;
        self.ttl = u32::MAX;
    }

    /// The name at `index`: the question's first, then its aliases in their order.
    #[inline(always)]
    #[must_use]
    pub fn name(&self, index: u32) -> Option<&NameKey> {
        (index < self.name_count).then(|| &self.names[index as usize % MAX_NAMES])
    }

    /// The address at `index`.
    #[inline(always)]
    #[must_use]
    pub fn address(&self, index: u32) -> Option<Addr> {
        (index < self.address_count).then(|| self.addresses[index as usize % MAX_ADDRESSES])
    }

    /// How many names.
    #[inline(always)]
    #[must_use]
    pub fn name_count(&self) -> u32 {
        self.name_count
    }

    /// How many addresses.
    #[inline(always)]
    #[must_use]
    pub fn address_count(&self) -> u32 {
        self.address_count
    }

    /// The name whose records say something: the last one of the chain.
    #[inline(always)]
    fn wanted(&self) -> u64 {
        self.names[self.name_count.wrapping_sub(1) as usize % MAX_NAMES].whole
    }

    /// The chain goes on with this name.
    ///
    /// # Errors
    /// There is no room for it.
    #[inline(always)]
    pub fn add_name(&mut self, name: &NameKey) -> Result<(), Unread> {
        if self.name_count as usize >= MAX_NAMES {
            return Err(Unread::Aliases);
        }
        self.names[self.name_count as usize % MAX_NAMES] = *name;
        self.name_count += 1;
        Ok(())
    }

    #[inline(always)]
    fn add_address(&mut self, address: Addr) {
        self.addresses[self.address_count as usize % MAX_ADDRESSES] = address;
        self.address_count += 1;
    }

    /// RFC 2181, 8: a value with the highest bit set is zero.
    #[inline(always)]
    fn hold_for(&mut self, ttl: u32) {
        let seconds = if ttl >> 31 == 0 { ttl } else { 0 };
        self.ttl = self.ttl.min(seconds);
    }
}

/// Reads `records` records from `at` on, each with `record`, which is [`read_record`] and gives the
/// place after it.
///
/// # Errors
/// It cannot be read to its end. The answer is then worth nothing.
#[inline(always)]
pub fn read_records(
    at: u16,
    records: u16,
    mut record: impl FnMut(u16) -> Result<u16, Unread>,
) -> Result<(), Unread> {
    if records > MAX_RECORDS {
        return Err(Unread::Records);
    }
    let mut at = at;
    for number in 0..MAX_RECORDS {
        if number >= records {
            break;
        }
        at = record(at)?;
    }
    Ok(())
}

/// Reads records of one message into an answer that has [begun](Answer::begin). In steps, each of which
/// the kernel makes in a function of its own.
pub trait RecordReader: NameReader {
    /// [`read_fixed`] of a record of the name that was read last.
    ///
    /// # Errors
    /// Those of [`read_fixed`].
    fn fixed(&mut self, at: u16) -> Result<Fixed, Unread>;

    /// Adds the name that was read last to the answer.
    ///
    /// # Errors
    /// It has no room for more names.
    fn add_alias(&mut self) -> Result<(), Unread>;
}

/// What follows the name of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Where the data starts.
    pub data: u16,
    /// Where the next record starts.
    pub next: u16,
    /// What is to be done with the data.
    pub alias: Alias,
}

/// Whether the data of a record is a name to be read.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alias {
    /// It is none.
    None = 0,
    /// It must be a name, and says nothing.
    Other = 1,
    /// It is the next name of the chain.
    Next = 2,
}

/// Reads the record at `at`, and gives the place after it.
///
/// Aliases must come before what they lead to, as every resolver sends them. Records of other names,
/// types and classes say nothing and are passed over. Other sections are not read: nobody asked.
///
/// # Errors
/// It cannot be read, or there is no room for what it says.
#[inline(always)]
pub fn read_record<R: RecordReader>(reader: &mut R, at: u16) -> Result<u16, Unread> {
    let after_name = reader.read(at)?;
    let fixed = reader.fixed(after_name)?;
    if fixed.alias != Alias::None {
        if reader.read(fixed.data)? != fixed.next {
            return Err(Unread::Record);
        }
        if fixed.alias == Alias::Next {
            reader.add_alias()?;
        }
    }
    Ok(fixed.next)
}

/// Reads what follows the name of a record, which is `owner`: an address of the name that is wanted
/// goes into the answer.
///
/// # Errors
/// It cannot be read.
#[inline(always)]
pub fn read_fixed<B: Bytes>(
    message: &B,
    owner: &NameKey,
    at: u16,
    answer: &mut Answer,
) -> Result<Fixed, Unread> {
    let is_wanted = owner.whole == answer.wanted();
    let kind = message.word(at)?;
    let class = message.word(at.wrapping_add(2))?;
    let ttl = u32::from(message.word(at.wrapping_add(4))?) << 16
        | u32::from(message.word(at.wrapping_add(6))?);
    let length = message.word(at.wrapping_add(8))?;
    let data = at.wrapping_add(10);
    let (next, over) = data.overflowing_add(length);
    if over || (length > 0 && message.byte(next.wrapping_sub(1)).is_none()) {
        return Err(Unread::Ends);
    }
    let mut alias = Alias::None;
    if class == CLASS_INTERNET {
        match kind {
            TYPE_A if length != 4 => return Err(Unread::Record),
            TYPE_AAAA if length != 16 => return Err(Unread::Record),
            TYPE_A | TYPE_AAAA if is_wanted => {
                let address = match kind {
                    TYPE_A => Addr::from_v4(octets(message, data)?),
                    _ => Addr::from_v6(octets(message, data)?),
                };
                answer.add_address(address);
                answer.hold_for(ttl);
            }
            TYPE_CNAME if is_wanted => {
                answer.hold_for(ttl);
                alias = Alias::Next;
            }
            TYPE_CNAME => alias = Alias::Other,
            _ => {}
        }
    }
    Ok(Fixed { data, next, alias })
}

#[inline(always)]
fn octets<B: Bytes, const N: usize>(message: &B, at: u16) -> Result<[u8; N], Unread> {
    let mut octets = [0; N];
    for (place, octet) in (0u16..).zip(&mut octets) {
        *octet = message.byte(at.wrapping_add(place)).ok_or(Unread::Ends)?;
    }
    Ok(octets)
}

#[cfg(test)]
mod tests;
