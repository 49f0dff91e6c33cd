//! Messages: valid ones, and what becomes of them under a few random changes.

use fastrand::Rng;

/// Messages without end, the same for the same seed.
#[derive(Debug)]
pub struct Inputs {
    random: Rng,
    bytes: Vec<u8>,
}

/// Labels that names are made of: few, so that names meet.
const LABELS: [&[u8]; 8] = [
    b"a",
    b"www",
    b"Example",
    b"example",
    b"com",
    b"cdn-7",
    b"\x00\xff.",
    &[b'x'; 63],
];

impl Inputs {
    /// From the beginning.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            bytes: Vec::new(),
        }
    }

    /// The next message.
    pub fn next_message(&mut self) -> &[u8] {
        self.bytes.clear();
        if self.random.u8(..) == 0 {
            let length = self.random.usize(..600);
            let random = &mut self.random;
            self.bytes.extend((0..length).map(|_| random.u8(..)));
        } else {
            self.answer();
            for _ in 0..self.random.usize(..4) {
                self.change();
            }
        }
        &self.bytes
    }

    fn answer(&mut self) {
        // Now and then more than is read.
        let records = match self.random.u8(..) {
            0 => self.random.u16(60..70),
            _ => self.random.u16(..8),
        };
        self.word(7);
        self.word(0x8180);
        self.word(1);
        self.word(records);
        self.word(0);
        self.word(1);
        self.name();
        let asked = [1, 28, 5][self.random.usize(..3)];
        self.word(asked);
        self.word(1);
        for _ in 0..records {
            self.record();
        }
        // EDNS (RFC 6891): no name, type 41.
        self.bytes
            .extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    }

    fn record(&mut self) {
        self.name();
        let kind = [1, 1, 28, 5, 5, 16][self.random.usize(..6)];
        self.word(kind);
        let class = if self.random.u8(..32) == 0 { 3 } else { 1 };
        self.word(class);
        let ttl = [0, 60, 300, u16::MAX][self.random.usize(..4)];
        let high = if self.random.u8(..16) == 0 { 0x8000 } else { 0 };
        self.word(high);
        self.word(ttl);
        let length_at = self.bytes.len();
        self.word(0);
        match kind {
            1 => self.octets(4),
            28 => self.octets(16),
            5 => self.name(),
            _ => {
                let length = self.random.usize(..20);
                self.octets(length);
            }
        }
        let length = (self.bytes.len() - length_at - 2) as u16;
        self.bytes[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
    }

    fn octets(&mut self, count: usize) {
        for _ in 0..count {
            let octet = self.random.u8(..);
            self.bytes.push(octet);
        }
    }

    /// Labels, and then the root or a pointer: mostly to the question, sometimes anywhere.
    fn name(&mut self) {
        let first = self.bytes.len() <= 12;
        let labels = match self.random.u8(..64) {
            0 => 8,
            _ => self.random.usize(..3),
        };
        for _ in 0..labels {
            let label = LABELS[self.random.usize(..LABELS.len())];
            self.bytes.push(label.len() as u8);
            self.bytes.extend_from_slice(label);
        }
        match self.random.u8(..8) {
            0 if !first => {
                let target = self.random.usize(..self.bytes.len());
                self.word(0xc000 | target as u16);
            }
            1..=5 if !first => self.word(0xc00c),
            _ => self.bytes.push(0),
        }
    }

    fn change(&mut self) {
        let at = self.random.usize(..self.bytes.len().max(1));
        match self.random.u8(..6) {
            0 => self.bytes.truncate(at),
            1 => self
                .bytes
                .insert(at.min(self.bytes.len()), self.random.u8(..)),
            2 if at < self.bytes.len() => drop(self.bytes.remove(at)),
            3 if at + 1 < self.bytes.len() => {
                self.bytes[at] = 0xc0;
                self.bytes[at + 1] = self.random.u8(..);
            }
            _ => {
                if let Some(byte) = self.bytes.get_mut(at) {
                    *byte = self.random.u8(..);
                }
            }
        }
    }

    fn word(&mut self, word: u16) {
        self.bytes.extend_from_slice(&word.to_be_bytes());
    }
}
