//! Names: the keys under which both sides know them, and the reading of DNS messages.
//!
//! The kernel never holds the text of a name. It holds keyed hashes of it, made label by label while
//! a message is read, and the image holds the same hashes of the patterns of the policies. The
//! [`Seed`] is drawn at random for each instance and never leaves it: who does not know it cannot
//! look for two names with one hash.

mod answer;
mod key;
#[cfg(not(target_arch = "bpf"))]
mod memory;
mod message;

pub use answer::{
    Alias, Answer, Fixed, MAX_ADDRESSES, MAX_NAMES, MAX_RECORDS, RecordReader, read_fixed,
    read_record, read_records,
};
pub use key::{
    MAX_NAME_BYTES, MAX_SUFFIX_LABELS, NameHasher, NameKey, NameKeyBuilder, Seed, WholeHasher,
    question_hash,
};
#[cfg(not(target_arch = "bpf"))]
pub use memory::read_answer;
pub use message::{
    Bytes, CLASS_INTERNET, HEADER_BYTES, Head, MAX_JUMPS, NameReader, Question, Unread, read_name,
};
