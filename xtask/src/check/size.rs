//! Files short enough to be read at once.

use crate::tree::File;

const MOST_LINES: usize = 400;

/// One finding for each Rust file with too many lines.
pub(super) fn findings(files: &[File]) -> Vec<String> {
    let long = files.iter().filter_map(|file| {
        let lines = file.text.lines().count();
        let path = file.path.display();
        (lines > MOST_LINES).then(|| {
            format!("{path}: {lines} lines; split it by subject ({MOST_LINES} is the most)")
        })
    });
    long.collect()
}

#[cfg(test)]
mod tests {
    use super::{File, MOST_LINES, findings};

    #[test]
    fn a_line_too_many_is_found() {
        let file = |lines| File {
            path: "src/lib.rs".into(),
            text: "\n".repeat(lines),
        };
        assert!(findings(&[file(MOST_LINES)]).is_empty());
        let found = findings(&[file(MOST_LINES + 1)]);
        assert!(found[0].starts_with("src/lib.rs: 401 lines"), "{found:?}");
    }
}
