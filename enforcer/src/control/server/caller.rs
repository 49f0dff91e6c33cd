//! Who is at the other end of the socket.

use std::{fs, path::Path};

use tokio::net::unix::UCred;

use crate::control::Author;

/// `loginuid` of a process that nobody logged in for.
const NOBODY: u32 = u32::MAX;

/// What the kernel says of the peer (`SO_PEERCRED`, as of when it connected), and what /proc says of
/// its process now.
pub(super) fn author(peer: &UCred) -> Author {
    describe(peer.uid(), peer.pid())
}

/// The same of this process, for what is done without a daemon.
#[must_use]
pub fn this_process() -> Author {
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    describe(rustix::process::geteuid().as_raw(), Some(pid))
}

fn describe(uid: u32, pid: Option<i32>) -> Author {
    let proc = pid.map(|pid| Path::new("/proc").join(pid.to_string()));
    let read = |file: &str| fs::read_to_string(proc.as_ref()?.join(file)).ok();
    let login_uid = read("loginuid").and_then(|text| text.trim().parse().ok());
    Author {
        uid,
        user: fs::read_to_string("/etc/passwd")
            .ok()
            .and_then(|passwd| name_of(&passwd, uid)),
        login_uid: login_uid.filter(|&uid| uid != NOBODY),
        pid,
        command: read("comm").map(|comm| comm.trim_end_matches('\n').to_owned()),
    }
}

/// The third field of passwd(5) is the number, the first the name.
fn name_of(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == uid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn names_stand_before_their_numbers() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\nbroken\nanna:x:1000:1000::/home/anna:\n";
        assert_eq!(name_of(passwd, 0).as_deref(), Some("root"));
        assert_eq!(name_of(passwd, 1000).as_deref(), Some("anna"));
        assert_eq!(name_of(passwd, 7), None);
    }
}
