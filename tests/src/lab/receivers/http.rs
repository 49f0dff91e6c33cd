//! HTTP/1.1 as far as receivers of events need it.

use std::io::{self, Read as _};

use flate2::read::GzDecoder;

use super::listener::{Mood, Protocol, Traffic};

/// Most bytes of a request, its body included.
const MOST: usize = 64 << 20;
const HEADERS: usize = 64;

/// A request, its body uncompressed.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST` and the like.
    pub method: String,
    /// With its query.
    pub path: String,
    headers: Vec<(String, String)>,
    /// What was sent.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Media type of the body.
    pub content_type: &'static str,
    /// What is said.
    pub body: Vec<u8>,
}

impl Answer {
    /// JSON.
    #[must_use]
    pub fn json(status: u16, body: &str) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: body.into(),
        }
    }
}

/// What answers requests.
pub trait Service: Send + Sync + 'static {
    /// Takes a request, or refuses it.
    fn answer(&self, request: &Request) -> Answer;
}

/// A service over HTTP.
pub struct Http<S>(
    /// The service.
    pub S,
);

impl<S: Service> Protocol for Http<S> {
    fn serve(&self, connection: &mut dyn Traffic, mood: &dyn Fn() -> Mood) -> io::Result<()> {
        let mut received = Vec::new();
        while let Some(request) = next(connection, &mut received)? {
            let (answer, after) = match mood() {
                Mood::Takes => (self.0.answer(&request), None),
                Mood::Busy(status, after) => (Answer::json(status, "busy"), after),
                Mood::Silent | Mood::Resets => return Err(io::ErrorKind::ConnectionReset.into()),
            };
            let after = after.map_or(String::new(), |after| format!("Retry-After: {after}\r\n"));
            write!(
                connection,
                "HTTP/1.1 {} .\r\nContent-Type: {}\r\nContent-Length: {}\r\n{after}\r\n",
                answer.status,
                answer.content_type,
                answer.body.len()
            )?;
            connection.write_all(&answer.body)?;
            connection.flush()?;
        }
        Ok(())
    }
}

/// The next request; `None` when the client has ended the connection.
fn next(connection: &mut dyn Traffic, received: &mut Vec<u8>) -> io::Result<Option<Request>> {
    loop {
        if let Some((mut request, start, length)) = head(received)? {
            while received.len() < start + length {
                if !more(connection, received)? {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            let body: Vec<u8> = received.drain(..start + length).skip(start).collect();
            request.body = match request.header("content-encoding") {
                Some("gzip") => uncompressed(&body)?,
                _ => body,
            };
            return Ok(Some(request));
        }
        if !more(connection, received)? {
            return Ok(None);
        }
    }
}

/// The head of a request, where its body begins, and how long that is.
fn head(received: &[u8]) -> io::Result<Option<(Request, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let start = match parsed.parse(received).map_err(io::Error::other)? {
        httparse::Status::Complete(start) => start,
        httparse::Status::Partial => return Ok(None),
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = parsed.headers.iter();
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        headers: headers
            .map(|header| (header.name.to_owned(), text(header.value)))
            .collect(),
        body: Vec::new(),
    };
    let length = match request.header("content-length") {
        Some(length) => length.parse().map_err(io::Error::other)?,
        None => 0,
    };
    if length > MOST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some((request, start, length)))
}

fn more(connection: &mut dyn Traffic, received: &mut Vec<u8>) -> io::Result<bool> {
    let mut bytes = [0; 16 << 10];
    let count = connection.read(&mut bytes)?;
    received.extend_from_slice(&bytes[..count]);
    Ok(count > 0)
}

fn uncompressed(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(body)
        .take(MOST as u64)
        .read_to_end(&mut plain)?;
    Ok(plain)
}
