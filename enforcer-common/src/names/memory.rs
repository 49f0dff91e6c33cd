//! Answers in memory, read with the steps of the kernel programs.

use zerocopy::FromZeros as _;

use super::{
    answer::{Answer, Fixed, RecordReader, read_fixed, read_record, read_records},
    key::{NameKey, NameKeyBuilder, Seed},
    message::{Bytes, HEADER_BYTES, Head, NameReader, Question, Unread, read_name},
};

/// Reads the answer that `bytes` are, names under `seed`. Of a response code nothing is asked: with
/// most of them an answer has no addresses.
///
/// # Errors
/// It is not an answer to one question, or cannot be read to its end. Nothing is learnt from it.
pub fn read_answer(bytes: &[u8], seed: &Seed) -> Result<Answer, Unread> {
    let message = Slice(bytes);
    let head = Head::read(&message, 0)?;
    if !head.is_response() || !head.is_query_for_one() {
        return Err(Unread::Question);
    }
    let mut reading = Reading {
        message,
        seed,
        key: NameKey::default(),
        answer: Answer::new_zeroed(),
    };
    let after_name = reading.read(HEADER_BYTES)?;
    let question = Question::after_name(&message, after_name)?;
    reading.answer.begin(&reading.key);
    read_records(question.end, head.answers, |at| {
        read_record(&mut reading, at)
    })?;
    Ok(reading.answer)
}

#[derive(Clone, Copy)]
struct Slice<'a>(&'a [u8]);

impl Bytes for Slice<'_> {
    fn byte(&self, at: u16) -> Option<u8> {
        self.0.get(usize::from(at)).copied()
    }
}

struct Reading<'a> {
    message: Slice<'a>,
    seed: &'a Seed,
    key: NameKey,
    answer: Answer,
}

impl NameReader for Reading<'_> {
    fn read(&mut self, at: u16) -> Result<u16, Unread> {
        let mut builder = NameKeyBuilder::new(self.seed);
        let end = read_name(&self.message, 0, at, self.seed, &mut builder)?;
        self.key = builder.finish(self.seed);
        Ok(end)
    }

    fn key(&self) -> &NameKey {
        &self.key
    }
}

impl RecordReader for Reading<'_> {
    fn fixed(&mut self, at: u16) -> Result<Fixed, Unread> {
        read_fixed(&self.message, &self.key, at, &mut self.answer)
    }

    fn add_alias(&mut self) -> Result<(), Unread> {
        self.answer.add_name(&self.key)
    }
}
