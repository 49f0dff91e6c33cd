//! What the screen shows.

use std::collections::{HashMap, VecDeque};

use super::event::{Told, Violation};

/// Seconds of history.
const HISTORY: usize = 60;
/// Events that are listed.
const LISTED: usize = 200;
/// Lines of one kind that are counted. What comes after is counted together.
const COUNTED: usize = 10_000;

/// Refusals by who, where and when.
#[derive(Debug, Default)]
pub struct Board {
    /// All refusals.
    pub total: u64,
    /// Events that were missed.
    pub missed: u64,
    /// By destination: address or name, port and protocol.
    pub destinations: Counts,
    /// By workload.
    pub workloads: Counts,
    /// By country.
    pub countries: Counts,
    /// The newest first.
    pub recent: VecDeque<Violation>,
    /// What happened to the daemon last.
    pub daemon: Option<String>,
    history: VecDeque<u64>,
    second: u64,
}

/// How often each.
#[derive(Debug, Default)]
pub struct Counts(HashMap<String, u64>);

impl Board {
    /// Counts an event in second `second` of any clock.
    pub fn tell(&mut self, told: Told, second: u64) {
        self.tick(second);
        let violation = match told {
            Told::Violation(violation) => violation,
            Told::Daemon { at, action } => {
                self.daemon = Some(format!("{action} at {at}"));
                return;
            }
            Told::Missed(missed) => {
                self.missed += missed;
                return;
            }
        };
        self.total += violation.count;
        if let Some(now) = self.history.back_mut() {
            *now += violation.count;
        }
        self.destinations.add(&violation.to, violation.count);
        self.workloads.add(&violation.workload, violation.count);
        self.countries.add(&violation.country, violation.count);
        self.recent.push_front(violation);
        self.recent.truncate(LISTED);
    }

    /// Moves on to a second.
    pub fn tick(&mut self, second: u64) {
        if self.history.is_empty() {
            self.second = second;
            self.history.push_back(0);
        }
        let passed = second.saturating_sub(self.second).min(HISTORY as u64);
        for _ in 0..passed {
            self.history.push_back(0);
        }
        self.second = self.second.max(second);
        while self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }

    /// Refusals in each of the last seconds, the newest last.
    #[must_use]
    pub fn history(&self) -> Vec<u64> {
        self.history.iter().copied().collect()
    }

    /// Refusals a second over the last seconds.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let sum: u64 = self.history.iter().sum();
        sum as f64 / self.history.len().max(1) as f64
    }
}

impl Counts {
    fn add(&mut self, name: &str, count: u64) {
        let name = match self.0.len() {
            full if full >= COUNTED && !self.0.contains_key(name) => "(others)",
            _ => name,
        };
        *self.0.entry(name.to_owned()).or_default() += count;
    }

    /// The most frequent, with their numbers.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .map(|(name, count)| (&**name, *count))
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(most);
        all
    }
}
