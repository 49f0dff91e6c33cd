//! Moments as text.

use jiff::Timestamp;

/// Length of `2026-11-22T10:00:00.000000000Z`.
const LENGTH: usize = 30;
/// Where the digits below a second begin.
const FRACTION: usize = 20;

/// Writes moments, and remembers the last second: those of a batch have few different ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    second: Option<i64>,
    text: Text,
}

/// A moment in RFC 3339, UTC, always with nine digits of a second, so that lines sort as text.
pub(super) type Text = [u8; LENGTH];

impl Times {
    /// The moment as text.
    pub(super) fn text(&mut self, at: Timestamp) -> Text {
        let second = at.as_second();
        let mut nanosecond = at.subsec_nanosecond();
        if self.second != Some(second) || nanosecond < 0 {
            return self.anew(at);
        }
        for digit in self.text[FRACTION..LENGTH - 1].iter_mut().rev() {
            *digit = b'0' + (nanosecond % 10) as u8;
            nanosecond /= 10;
        }
        self.text
    }

    fn anew(&mut self, at: Timestamp) -> Text {
        let shown = format!("{at:.9}");
        // Years before the first have more letters; the clock of no machine shows them.
        let Ok(text) = Text::try_from(shown.as_bytes()) else {
            return *b"0000-01-01T00:00:00.000000000Z";
        };
        self.text = text;
        self.second = Some(at.as_second());
        text
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::Times;

    proptest! {
        #[test]
        fn as_the_library_writes_them(
            second in any::<i32>(),
            nanoseconds in prop::collection::vec(0..1_000_000_000, 1..8),
        ) {
            let mut times = Times::default();
            for nanosecond in nanoseconds {
                let at = Timestamp::new(second.into(), nanosecond).expect("in range");
                let text = times.text(at);
                let expected = format!("{at:.9}");
                prop_assert_eq!(&text[..], expected.as_bytes());
            }
        }
    }
}
