use std::{path::PathBuf, str::FromStr};

use super::{FileSink, Sink, SinkError, StdoutSink};

/// A sink as named on the command line: `-` or `stdout`, `file:PATH`, or a plain path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkSpec {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// A sink that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkSpecError {
    /// Nothing was named.
    #[error("event sink is empty: write `-` for standard output, or `file:PATH`")]
    Empty,
    /// `file:` without a path.
    #[error(
        "event sink `file:` has no path: write `file:PATH`, as in `file:/var/log/enforcer.ndjson`"
    )]
    NoPath,
    /// A kind that does not exist, or a file that must be told apart from one.
    #[error(
        "event sink `{0}` is not known: write `-` for standard output, or `file:{0}` if a file \
         is meant"
    )]
    Unknown(String),
}

impl FromStr for SinkSpec {
    type Err = SinkSpecError;

    fn from_str(text: &str) -> Result<Self, SinkSpecError> {
        match text {
            "" => Err(SinkSpecError::Empty),
            "-" | "stdout" => Ok(Self::Stdout),
            "file:" => Err(SinkSpecError::NoPath),
            _ => match text.split_once(':') {
                Some(("file", path)) => Ok(Self::File(path.into())),
                // A URL is no path.
                Some((scheme, _)) if !scheme.contains(['/', '.']) => {
                    Err(SinkSpecError::Unknown(text.into()))
                }
                Some(_) | None => Ok(Self::File(text.into())),
            },
        }
    }
}

impl SinkSpec {
    /// Opens it.
    ///
    /// # Errors
    /// Standard output is closed, or the file cannot be opened.
    pub fn open(&self) -> Result<Box<dyn Sink>, SinkError> {
        Ok(match self {
            Self::Stdout => Box::new(StdoutSink::open()?),
            Self::File(path) => Box::new(FileSink::open(path)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{SinkSpec, SinkSpecError};

    #[test]
    fn what_can_be_meant() {
        for text in ["-", "stdout"] {
            assert_eq!(text.parse(), Ok(SinkSpec::Stdout));
        }
        let files = [
            ("file:events", "events"),
            ("file:/var/log/a:b", "/var/log/a:b"),
            ("/var/log/a", "/var/log/a"),
            ("events.ndjson", "events.ndjson"),
            ("./a:b", "./a:b"),
            ("./stdout", "./stdout"),
            ("events", "events"),
        ];
        for (text, path) in files {
            assert_eq!(text.parse(), Ok(SinkSpec::File(path.into())), "{text}");
        }
    }

    #[test]
    fn what_cannot() {
        assert_eq!("".parse::<SinkSpec>(), Err(SinkSpecError::Empty));
        assert_eq!("file:".parse::<SinkSpec>(), Err(SinkSpecError::NoPath));
        let error = "kafka:topic".parse::<SinkSpec>().expect_err("no such sink");
        assert!(
            error.to_string().contains("`kafka:topic` is not known"),
            "{error}"
        );
    }
}
