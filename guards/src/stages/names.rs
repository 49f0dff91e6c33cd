//! DNS answers, read as the kernel programs read them.

use std::hint::black_box;

use anyhow::{Result, ensure};
use enforcer_common::names::{
    Answer, Fixed, HEADER_BYTES, Head, NameKey, NameKeyBuilder, NameReader, RecordReader, Seed,
    Slice, Unread, read_fixed, read_name, read_question, read_record, read_records,
};

use crate::counted::Counted;

const SEED: Seed = Seed([1, 2]);

/// An answer with one alias and four addresses.
pub(super) fn read(counted: &mut Counted) -> Result<()> {
    const TIMES: usize = 1024;
    let message = message();
    let mut addresses = 0;
    counted.stage("dns-answer", TIMES, || {
        for _ in 0..TIMES {
            let answer = answer(black_box(&message)).map_err(|why| anyhow::anyhow!("{why:?}"))?;
            addresses += answer.address_count() as usize;
        }
        Ok(())
    })?;
    ensure!(addresses == 4 * TIMES, "{addresses} addresses");
    Ok(())
}

fn answer(bytes: &[u8]) -> Result<Answer, Unread> {
    let message = Slice(bytes);
    let head = Head::read(&message, 0)?;
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
    Ok(reader.answer)
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
