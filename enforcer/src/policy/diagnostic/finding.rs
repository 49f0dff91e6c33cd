use serde::Serialize;

use super::{Code, Diagnostic, Severity};

/// A [`Diagnostic`] as plain data. Lines and columns count from 1, columns in characters; the end
/// is exclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// As given on the command line.
    pub file: String,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after the last one.
    pub end_column: u32,
    /// Whether it keeps the policies from being loaded.
    pub severity: Severity,
    /// Stable name of the kind of finding.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// How to put it right.
    pub help: Option<String>,
    /// A second place that belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<Related>,
}

/// A second place of a [`Finding`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// As given on the command line.
    pub file: String,
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
    /// What it is.
    pub label: &'static str,
}

impl Finding {
    pub(super) fn of(diagnostic: &Diagnostic) -> Self {
        let (start, end) = (diagnostic.position(), diagnostic.end());
        Self {
            file: start.file.display().to_string(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            severity: diagnostic.severity(),
            code: diagnostic.code(),
            message: diagnostic.message().to_owned(),
            help: diagnostic.help_text().map(str::to_owned),
            related: diagnostic.related().map(|(place, label)| {
                let position = place.position();
                Related {
                    file: position.file.display().to_string(),
                    line: position.line,
                    column: position.column,
                    label,
                }
            }),
        }
    }
}
