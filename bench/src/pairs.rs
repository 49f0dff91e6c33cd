//! Paired runs: base, subject, base, and the ratio between them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{
    client::{Client, Load, Place},
    quartiles::Quartiles,
};

/// Bases further apart than this: the machine changed its pace meanwhile, so the pair says nothing.
const MOST_DRIFT: f64 = 0.15;

/// What is compared with the base.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// Where its runs go, and those of the base beside them.
    pub(crate) destinations: PathBuf,
    /// What one would use instead: so far behind that fewer pairs tell.
    pub(crate) alternative: bool,
}

/// One kind of load, every subject.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// What was sent.
    pub(crate) load: String,
    /// Nanoseconds of an operation with nothing attached, over all runs: mind the ratios instead.
    pub(crate) base_ns: Quartiles,
    pub(crate) rows: Vec<Row>,
}

/// One subject.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Subject to base; `None` when the machine was too noisy for a single pair.
    pub(crate) ratio: Option<Quartiles>,
    /// Pairs that count.
    pub(crate) pairs: usize,
    /// Pairs thrown away.
    pub(crate) discarded: usize,
}

/// How long to go on.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Pairs to collect of each subject.
    pub(crate) pairs: usize,
    /// The same of alternatives.
    pub(crate) alternatives: usize,
    /// Rounds after which to be content with fewer.
    pub(crate) rounds: usize,
}

impl Effort {
    /// For what no claim is made of.
    pub(crate) fn brief(self) -> Self {
        Self {
            pairs: self.alternatives,
            ..self
        }
    }

    fn pairs_of(self, subject: &Subject) -> usize {
        if subject.alternative {
            self.alternatives
        } else {
            self.pairs
        }
    }
}

/// Runs every subject in turn, round after round, so that what the machine does meanwhile meets
/// all of them.
///
/// # Errors
/// A run failed.
pub(crate) fn compare(
    client: &mut Client,
    base: &Place,
    subjects: &[Subject],
    (load, name): (Load, &str),
    effort: Effort,
) -> Result<Comparison> {
    let mut bases = Vec::new();
    // The base after one subject is the base before the next.
    let mut last: Option<(&Path, f64)> = None;
    let mut found: Vec<(Vec<f64>, usize)> = vec![(vec![], 0); subjects.len()];
    for _ in 0..effort.rounds {
        for (subject, (ratios, discarded)) in subjects.iter().zip(&mut found) {
            if ratios.len() >= effort.pairs_of(subject) {
                continue;
            }
            let mut run = |place: &Place, to: &Path| client.ns(place, to, load, batches(load));
            let to = &*subject.destinations;
            let before = match last {
                Some((same, ns)) if same == to => ns,
                _ => run(base, to)?,
            };
            let between = run(&subject.place, to)?;
            let after = run(base, to)?;
            last = Some((to, after));
            bases.push(after);
            match ratio(before, between, after) {
                Some(ratio) => ratios.push(ratio),
                None => *discarded += 1,
            }
        }
        let enough = |(subject, (ratios, _)): (&Subject, &(Vec<f64>, usize))| {
            ratios.len() >= effort.pairs_of(subject)
        };
        if subjects.iter().zip(&found).all(enough) {
            break;
        }
    }
    let rows = subjects.iter().zip(found);
    let rows = rows.map(|(subject, (ratios, discarded))| Row {
        name: subject.name.clone(),
        pairs: ratios.len(),
        ratio: Quartiles::of(ratios),
        discarded,
    });
    Ok(Comparison {
        load: name.to_owned(),
        rows: rows.collect(),
        base_ns: Quartiles::of(bases).unwrap_or(Quartiles {
            lower: 0.0,
            median: 0.0,
            upper: 0.0,
        }),
    })
}

/// So many that a run takes about 30 ms.
pub(crate) fn batches(load: Load) -> u32 {
    match load {
        Load::Connect => 32,
        Load::Connected => 96,
        Load::Scattered => 64,
        Load::Bulk => 192,
        Load::Lookup | Load::Named => 48,
    }
}

fn ratio(before: f64, between: f64, after: f64) -> Option<f64> {
    let drift = (before - after).abs() / before.min(after);
    (drift <= MOST_DRIFT).then(|| between / ((before + after) / 2.0))
}

#[cfg(test)]
mod tests {
    use super::ratio;

    #[test]
    fn a_pair_of_different_bases_is_thrown_away() {
        assert_eq!(ratio(100.0, 121.0, 120.0), None);
        assert_eq!(ratio(120.0, 121.0, 100.0), None);
        assert_eq!(ratio(100.0, 121.0, 110.0), Some(121.0 / 105.0));
    }
}
