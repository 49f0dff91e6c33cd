//! The story on a terminal or in a file.

use std::{
    env,
    io::{self, IsTerminal},
};

use serde_json::Value;

use crate::attempts::{Attempt, Verdict};

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// Standard output, with colours where a person looks at it.
pub(crate) struct Page {
    colours: bool,
}

impl Page {
    pub(crate) fn on_stdout() -> Self {
        Self {
            // https://no-color.org
            colours: io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none(),
        }
    }

    pub(crate) fn heading(&self, text: &str) {
        println!("\n{}\n", self.paint(BOLD, text));
    }

    pub(crate) fn text(&self, text: &str) {
        println!("{text}");
    }

    pub(crate) fn row(&self, text: &str) {
        println!("  {text}");
    }

    pub(crate) fn command(&self, line: &str) {
        println!("  {}", self.paint(CYAN, &format!("$ {line}")));
    }

    pub(crate) fn output(&self, text: &str) {
        text.lines().for_each(|line| println!("  {line}"));
    }

    /// A policy, whose comments step back.
    pub(crate) fn file(&self, text: &str) {
        for line in text.lines() {
            if line.trim_start().starts_with('#') {
                println!("  {}", self.paint(DIM, line));
            } else {
                println!("  {line}");
            }
        }
    }

    pub(crate) fn attempt(&self, attempt: &Attempt, verdict: &Verdict) {
        let colour = match verdict {
            Verdict::Answered => GREEN,
            Verdict::Refused | Verdict::Dropped => RED,
            Verdict::Otherwise(_) => BOLD,
        };
        let verdict = self.paint(colour, &verdict.to_string());
        println!("  {attempt}  {}  {verdict}", attempt.place.country());
    }

    /// An object with each of its fields on one line.
    pub(crate) fn object(&self, fields: &[(&str, Value)]) {
        println!("  {{");
        for (index, (name, value)) in fields.iter().enumerate() {
            let comma = if index + 1 == fields.len() { "" } else { "," };
            let name = self.paint(CYAN, &format!("\"{name}\""));
            println!("    {name}: {value}{comma}");
        }
        println!("  }}");
    }

    pub(crate) fn success(&self, text: &str) {
        println!("\n{}", self.paint(GREEN, text));
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
