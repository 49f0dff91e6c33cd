//! Results as text.

use crate::{hooks::HookTime, pairs::Comparison};

/// A table of one load.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let base = comparison.base_ns;
    let mut text = format!(
        "\n{}: {:.0} ns with nothing attached [{:.0}-{:.0}]\n",
        comparison.load, base.median, base.lower, base.upper
    );
    text += &format!(
        "  {:<44} {:>7} {:>15} {:>6} {:>9}\n",
        "", "ratio", "quartiles", "pairs", "discarded"
    );
    for row in &comparison.rows {
        let (ratio, quartiles) = match row.ratio {
            Some(ratio) => (
                format!("{:.3}", ratio.median),
                format!("{:.3}-{:.3}", ratio.lower, ratio.upper),
            ),
            None => ("-".to_owned(), "too noisy".to_owned()),
        };
        text += &format!(
            "  {:<44} {ratio:>7} {quartiles:>15} {:>6} {:>9}\n",
            row.name, row.pairs, row.discarded
        );
    }
    text
}

/// A table of programs.
pub(crate) fn hooks(hooks: &[HookTime]) -> String {
    let mut text = "\nns of a run of each program, empty ones taken off\n".to_owned();
    for time in hooks {
        text += &format!(
            "  {:<44} {:<10} {:>6.0} (of {:.0})  x {:.2}\n",
            time.load,
            time.hook,
            time.own_ns - time.floor_ns,
            time.own_ns,
            time.runs
        );
    }
    text
}
