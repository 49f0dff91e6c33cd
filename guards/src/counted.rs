//! What is counted, and in which order.

use std::fmt;

/// The stages that were run. Callgrind dumps its count after each call of [`counted`], so the order
/// is what tells the dumps apart.
#[derive(Default)]
pub(crate) struct Counted(Vec<(&'static str, usize)>);

impl Counted {
    /// Runs a stage, which does its work `times` times.
    pub(crate) fn stage(
        &mut self,
        name: &'static str,
        times: usize,
        mut stage: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        counted(&mut || outcome = stage());
        self.0.push((name, times));
        outcome
    }
}

/// `NAME TIMES`, a line for each stage.
impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut stages = self.0.iter();
        stages.try_for_each(|(name, times)| writeln!(f, "{name} {times}"))
    }
}

/// Callgrind counts what happens inside, and knows it by this name.
// SAFETY: no other function of this program has the name.
#[unsafe(export_name = "enforcer_guards_counted")]
#[inline(never)]
fn counted(stage: &mut dyn FnMut()) {
    stage();
}
