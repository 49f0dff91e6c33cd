//! What a failed call means for a sink.

use std::{error::Error, io, iter};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::events::sinks::{
    SinkError,
    http::{of_io, shown},
};

/// Only of what is malformed does the receiver speak of the records themselves. Everything else is
/// tried again, also what OTLP would have given up (a token that is wrong, a service that is not there
/// yet): records wait meanwhile, and the status says why.
pub(super) fn of(status: &Status) -> SinkError {
    if let Some(error) = io_error(status) {
        return of_io(error);
    }
    let code = status.code();
    let text = format!("{code:?}: {}", shown(status.message().as_bytes()));
    match code {
        Code::InvalidArgument => SinkError::Refused {
            status: number(code),
            text,
        },
        Code::DeadlineExceeded => SinkError::Silent(text),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => SinkError::Unavailable {
            status: number(code),
            text,
            after: status
                .get_details_retry_info()
                .and_then(|retry| retry.retry_delay),
        },
    }
}

/// From 0 to 16.
fn number(code: Code) -> u16 {
    code as u16
}

/// The error of the system, where the call did not end by an answer.
fn io_error(status: &Status) -> Option<io::Error> {
    let first = status.source();
    let mut causes = iter::successors(first, |&error| error.source());
    let error = causes.find_map(|error| error.downcast_ref::<io::Error>())?;
    let inner = error.get_ref();
    // Whether TLS failed is told by the type of what is inside.
    Some(match inner.and_then(|inner| inner.downcast_ref()) {
        Some(tls) => io::Error::new(error.kind(), rustls::Error::clone(tls)),
        None => io::Error::new(error.kind(), error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc, time::Duration};

    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::of;
    use crate::events::sinks::{FailureCause, SinkError};

    #[test]
    fn codes_are_told_apart() {
        let cases = [
            (Code::InvalidArgument, FailureCause::Refused),
            (Code::Unauthenticated, FailureCause::Forbidden),
            (Code::PermissionDenied, FailureCause::Forbidden),
            (Code::DeadlineExceeded, FailureCause::Silent),
            (Code::Unavailable, FailureCause::Busy),
            (Code::ResourceExhausted, FailureCause::Busy),
            (Code::Unimplemented, FailureCause::Busy),
            (Code::Internal, FailureCause::Busy),
        ];
        for (code, cause) in cases {
            let error = of(&Status::new(code, "because"));
            assert_eq!(error.cause(), cause, "{code:?}");
            let said = error.to_string();
            assert!(said.contains(&format!("{code:?}: because")), "{said}");
        }
    }

    #[test]
    fn a_receiver_says_when_it_wants_to_be_asked_again() {
        for code in [Code::Unavailable, Code::ResourceExhausted] {
            let wait = Duration::from_secs(7);
            let details = ErrorDetails::with_retry_info(Some(wait));
            let asks = Status::with_error_details(code, "later", details);
            assert_eq!(of(&asks).after(), Some(wait));
            assert_eq!(of(&Status::new(code, "later")).after(), None);
        }
    }

    fn broken(error: io::Error) -> SinkError {
        let mut status = Status::unavailable("error trying to connect");
        status.set_source(Arc::new(error));
        of(&status)
    }

    #[test]
    fn what_the_system_said_goes_before_the_code() {
        let cases = [
            (io::ErrorKind::ConnectionRefused, FailureCause::Unreachable),
            (io::ErrorKind::TimedOut, FailureCause::Silent),
            (io::ErrorKind::ConnectionReset, FailureCause::Closed),
        ];
        for (kind, cause) in cases {
            assert_eq!(broken(kind.into()).cause(), cause, "{kind}");
        }
        let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let error = broken(io::Error::new(io::ErrorKind::InvalidData, certificate));
        assert!(matches!(&error, SinkError::Tls(text) if text.contains("certificate")));
    }
}
