use enforcer_common::names::{
    Answer, Fixed, HEADER_BYTES, Head, NameKey, NameKeyBuilder, NameReader, RecordReader, Slice,
    Unread, read_fixed, read_name, read_question, read_record, read_records,
};

use super::{SEED, Said};

/// What the code of the kernel programs makes of a message.
///
/// # Errors
/// Nothing is learnt from it.
pub fn ours(bytes: &[u8]) -> Result<Said, Unread> {
    let message = Slice(bytes);
    let head = Head::read(&message, 0)?;
    if !head.is_response() || !head.is_query_for_one() {
        return Err(Unread::Question);
    }
    let mut reader = Reader {
        bytes,
        key: NameKey::default(),
        answer: Answer::to(&NameKey::default()),
    };
    let question = read_question(&message, &mut reader, HEADER_BYTES)?;
    reader.answer.begin(&reader.key);
    read_records(question.end, head.answers, |at| {
        read_record(&mut reader, at)
    })?;
    let answer = &reader.answer;
    let names = (0..answer.name_count()).filter_map(|at| answer.name(at).copied());
    Ok(Said {
        names: names.collect(),
        addresses: (0..answer.address_count())
            .filter_map(|at| answer.address(at))
            .collect(),
        ttl: answer.ttl,
    })
}

struct Reader<'a> {
    bytes: &'a [u8],
    key: NameKey,
    answer: Answer,
}

impl NameReader for Reader<'_> {
    fn read(&mut self, at: u16) -> Result<u16, Unread> {
        let mut builder = NameKeyBuilder::new(&SEED);
        let end = read_name(&Slice(self.bytes), 0, at, &SEED, &mut builder)?;
        self.key = builder.finish(&SEED);
        Ok(end)
    }

    fn key(&self) -> &NameKey {
        &self.key
    }
}

impl RecordReader for Reader<'_> {
    fn fixed(&mut self, at: u16) -> Result<Fixed, Unread> {
        read_fixed(&Slice(self.bytes), &self.key, at, &mut self.answer)
    }

    fn add_alias(&mut self) -> Result<(), Unread> {
        self.answer.add_name(&self.key)
    }
}
