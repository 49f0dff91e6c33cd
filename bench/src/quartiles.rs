//! Median and quartiles.

use serde::{Deserialize, Serialize};

/// The middle half of a set of figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quartiles {
    pub(crate) lower: f64,
    pub(crate) median: f64,
    pub(crate) upper: f64,
}

impl Quartiles {
    /// `None` of no figures.
    pub(crate) fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * (figures.len().checked_sub(1)?) as f64;
            let below = figures[place.floor() as usize];
            let above = figures[place.ceil() as usize];
            Some(below + (above - below) * place.fract())
        };
        Some(Self {
            lower: at(0.25)?,
            median: at(0.5)?,
            upper: at(0.75)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Quartiles;

    #[test]
    fn quartiles_stand_between_figures() {
        assert_eq!(Quartiles::of(vec![]), None);
        let found = Quartiles::of(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        let expected = Quartiles {
            lower: 1.75,
            median: 2.5,
            upper: 3.25,
        };
        assert_eq!(found, expected);
    }
}
