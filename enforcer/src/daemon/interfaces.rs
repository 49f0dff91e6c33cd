use std::io;

use crate::kernel::{Enforcement, Interfaces};

/// Believes answers that come by these interfaces. Without them names mean nothing, and everything
/// else holds: so it is told, and no reason to stop.
pub(super) fn trust(enforcement: &mut Enforcement, interfaces: io::Result<Interfaces>) {
    match interfaces {
        Ok(interfaces) => {
            if let Err(error) = enforcement.trust(&interfaces) {
                eprintln!("enforcer: warning: names from DNS are not believed: {error}");
            }
        }
        Err(error) => {
            eprintln!("enforcer: warning: names from DNS are not believed (Linux 5.14): {error}");
        }
    }
}
