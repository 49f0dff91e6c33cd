//! DNS messages (RFC 1035, 4): header, names and the question.
//!
//! Every loop is bounded and every read is checked, so that the kernel's verifier and a hostile
//! message find nothing. The kernel and userspace differ only in where the bytes come from.

use super::key::{MAX_NAME_BYTES, NameHasher, NameKey, Seed};
use crate::opaque::forget;

/// Bytes of a header (RFC 1035, 4.1.1).
pub const HEADER_BYTES: u16 = 12;

/// Compression pointers followed inside one name. Encoders need one; more than a few is an attack.
pub const MAX_JUMPS: u16 = 32;

/// A message.
pub trait Bytes {
    /// The byte at `at`; `None` past the end.
    fn byte(&self, at: u16) -> Option<u8>;

    /// Two bytes in network order.
    ///
    /// # Errors
    /// The message ends before.
    #[inline(always)]
    fn word(&self, at: u16) -> Result<u16, Unread> {
        match (self.byte(at), self.byte(at.wrapping_add(1))) {
            (Some(high), Some(low)) => Ok(u16::from_be_bytes([high, low])),
            _ => Err(Unread::Ends),
        }
    }
}

/// Reads names of one message. The kernel does it in a function of its own, which is verified once.
pub trait NameReader {
    /// Reads the name at `at` and gives the place after it; its key is in [`key`](Self::key).
    ///
    /// # Errors
    /// It is not a name.
    fn read(&mut self, at: u16) -> Result<u16, Unread>;

    /// The name that was read last.
    fn key(&self) -> &NameKey;
}

/// Why nothing was learnt from a message. Each is counted.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unread {
    /// It ends before what it announces.
    Ends = 1,
    /// A label of a kind that no standard defines.
    Label = 2,
    /// A compression pointer that does not lead back.
    Pointer = 3,
    /// A name of more than 255 bytes.
    LongName = 4,
    /// More than [`MAX_JUMPS`] pointers in one name.
    Jumps = 5,
    /// An address or an alias whose length is not that of its type.
    Record = 6,
    /// More than [`MAX_RECORDS`](super::MAX_RECORDS) answers.
    Records = 7,
    /// More than [`MAX_NAMES`](super::MAX_NAMES) names in a chain of aliases.
    Aliases = 8,
    /// Not one question of the internet class, or not a standard query.
    Question = 9,
}

impl Unread {
    /// Every cause with its label in metrics.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Ends, "message_ends"),
        (Self::Label, "bad_label"),
        (Self::Pointer, "bad_pointer"),
        (Self::LongName, "name_too_long"),
        (Self::Jumps, "too_many_pointers"),
        (Self::Record, "bad_record"),
        (Self::Records, "too_many_records"),
        (Self::Aliases, "too_many_aliases"),
        (Self::Question, "bad_question"),
    ];

    /// The cause of a byte; an unknown one counts as a message that ends.
    #[inline(always)]
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            2 => Self::Label,
            3 => Self::Pointer,
            4 => Self::LongName,
            5 => Self::Jumps,
            6 => Self::Record,
            7 => Self::Records,
            8 => Self::Aliases,
            9 => Self::Question,
            _ => Self::Ends,
        }
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The asker's number.
    pub id: u16,
    flags: u16,
    /// Questions.
    pub questions: u16,
    /// Records of the answer section.
    pub answers: u16,
}

impl Head {
    /// Reads the header at `at`.
    ///
    /// # Errors
    /// The message ends before.
    #[inline(always)]
    pub fn read<B: Bytes>(message: &B, at: u16) -> Result<Self, Unread> {
        // What follows is counts of sections that are not read; they must be there all the same.
        message.word(at.wrapping_add(10))?;
        Ok(Self {
            id: message.word(at)?,
            flags: message.word(at.wrapping_add(2))?,
            questions: message.word(at.wrapping_add(4))?,
            answers: message.word(at.wrapping_add(6))?,
        })
    }

    /// An answer rather than a question.
    #[inline(always)]
    #[must_use]
    pub fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// One question of a standard query (RFC 1035, opcode 0).
    #[inline(always)]
    #[must_use]
    pub fn is_query_for_one(self) -> bool {
        self.flags & 0x7800 == 0 && self.questions == 1
    }

    /// Response code, the low four bits; 0 is success.
    #[inline(always)]
    #[must_use]
    pub fn code(self) -> u8 {
        self.flags as u8 & 0xf
    }
}

/// What is asked, besides the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Type (IANA DNS parameters).
    pub kind: u16,
    /// Where the section ends.
    pub end: u16,
}

impl Question {
    /// What follows the name of a question.
    ///
    /// # Errors
    /// It cannot be read, or is not of the internet class.
    #[inline(always)]
    pub fn after_name<B: Bytes>(message: &B, at: u16) -> Result<Self, Unread> {
        let kind = message.word(at)?;
        if message.word(at.wrapping_add(2))? != CLASS_INTERNET {
            return Err(Unread::Question);
        }
        Ok(Self {
            kind,
            end: at.wrapping_add(4),
        })
    }
}

/// `IN` (RFC 1035, 3.2.4).
pub const CLASS_INTERNET: u16 = 1;

/// Reads the name at `at` of a message that starts at `base`, and gives the place after it.
///
/// A pointer must lead before the run of labels that it ends, and the labels that it leads to must
/// end there: so no byte is read twice as the start of a label, and it ends.
///
/// # Errors
/// It is not a name.
#[inline(always)]
pub fn read_name<B: Bytes, H: NameHasher>(
    message: &B,
    base: u16,
    at: u16,
    seed: &Seed,
    hasher: &mut H,
) -> Result<u16, Unread> {
    let noise = seed.0[0];
    let mut at = at;
    let mut run = at;
    let mut barrier = u16::MAX;
    let mut end = 0;
    let mut length = 0;
    let mut left = 0;
    for _ in 0..MAX_NAME_BYTES + MAX_JUMPS {
        // The verifier would follow each way of coming here by itself.
        at = forget(u64::from(at), noise) as u16;
        run = forget(u64::from(run), noise) as u16;
        barrier = forget(u64::from(barrier), noise) as u16;
        end = forget(u64::from(end), noise) as u16;
        length = forget(u64::from(length), noise) as u16;
        left = forget(u64::from(left), noise) as u16;
        let Some(byte) = message.byte(at) else {
            return Err(Unread::Ends);
        };
        if left > 0 {
            hasher.byte(byte);
            at = at.wrapping_add(1);
            left -= 1;
            continue;
        }
        if at >= barrier {
            return Err(Unread::Pointer);
        }
        match byte >> 6 {
            0 => {
                length += u16::from(byte) + 1;
                if length > MAX_NAME_BYTES {
                    return Err(Unread::LongName);
                }
                hasher.boundary(seed);
                at = at.wrapping_add(1);
                if byte == 0 {
                    return Ok(if end == 0 { at } else { end });
                }
                left = u16::from(byte);
            }
            3 => {
                let offset = message.word(at)? & 0x3fff;
                if end == 0 {
                    end = at.wrapping_add(2);
                }
                let target = base.wrapping_add(offset);
                if target >= run {
                    return Err(Unread::Pointer);
                }
                barrier = run;
                run = target;
                at = target;
            }
            _ => return Err(Unread::Label),
        }
    }
    Err(Unread::Jumps)
}
