//! Syslog over a stream with octet counting (RFC 6587 section 3.4.1).

use std::{io, sync::Arc};

use super::{
    arrivals::Arrivals,
    listener::{Mood, Protocol, Traffic},
};

/// Longest length that is read, digits.
const DIGITS: usize = 9;

/// Notes the number of each message of CEF.
#[derive(Debug)]
pub struct SyslogFrames(Arc<Arrivals>);

impl SyslogFrames {
    /// One that notes it there.
    #[must_use]
    pub fn new(arrivals: &Arc<Arrivals>) -> Self {
        Self(Arc::clone(arrivals))
    }
}

impl Protocol for SyslogFrames {
    fn serve(&self, connection: &mut dyn Traffic, mood: &dyn Fn() -> Mood) -> io::Result<()> {
        let mut received = Vec::new();
        let mut bytes = [0; 16 << 10];
        loop {
            let count = connection.read(&mut bytes)?;
            if mood() == Mood::Resets {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if count == 0 {
                return Ok(());
            }
            received.extend_from_slice(&bytes[..count]);
            let (numbers, used) = messages(&received)?;
            received.drain(..used);
            self.0.add(numbers);
        }
    }
}

/// The numbers of the whole messages at the front, and how many bytes they take.
fn messages(received: &[u8]) -> io::Result<(Vec<u64>, usize)> {
    let (mut numbers, mut used) = (Vec::new(), 0);
    loop {
        let rest = &received[used..];
        let Some(blank) = rest.iter().take(DIGITS).position(|byte| *byte == b' ') else {
            let sound = rest.len() < DIGITS && rest.iter().all(u8::is_ascii_digit);
            return if sound {
                Ok((numbers, used))
            } else {
                Err(io::Error::other("no frame begins here"))
            };
        };
        let length = std::str::from_utf8(&rest[..blank]).map_err(io::Error::other)?;
        let length: usize = length.parse().map_err(io::Error::other)?;
        let Some(message) = rest[blank + 1..].get(..length) else {
            return Ok((numbers, used));
        };
        let number = super::syslog::number(&String::from_utf8_lossy(message));
        numbers.push(number.ok_or_else(|| io::Error::other("a message without a number"))?);
        used += blank + 1 + length;
    }
}
