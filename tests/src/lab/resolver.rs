//! A real resolver in the peer namespace.

use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use super::world::World;

/// `unbound` with one zone, `example.`, until dropped.
#[derive(Debug)]
pub struct Resolver {
    child: Child,
    _directory: TempDir,
}

impl Resolver {
    /// At an address of the world, with these lines of a zone file besides those that a zone must have.
    ///
    /// # Errors
    /// `unbound` is not installed, or does not answer.
    pub fn start(world: &World, at: Ipv4Addr, records: &str) -> anyhow::Result<Self> {
        let directory = TempDir::new()?;
        let zone = directory.path().join("example.zone");
        let head = "example. 300 IN SOA ns.example. root.example. 1 3600 600 86400 300\n\
                    example. 300 IN NS ns.example.\n\
                    ns.example. 300 IN A 52.0.0.53\n";
        fs::write(&zone, format!("{head}{records}"))?;
        let configuration = directory.path().join("unbound.conf");
        let mut text = String::new();
        write!(
            text,
            "server:\n interface: {at}\n ip-freebind: yes\n do-daemonize: no\n chroot: \"\"\n \
             username: \"\"\n pidfile: \"\"\n use-syslog: no\n logfile: \"\"\n \
             access-control: 0.0.0.0/0 allow\n module-config: \"iterator\"\n num-threads: 1\n\
             remote-control:\n control-enable: no\n\
             auth-zone:\n name: example.\n zonefile: {}\n for-downstream: yes\n for-upstream: no\n",
            zone.display()
        )?;
        fs::write(&configuration, text)?;
        let mut command = Command::new("unbound");
        command.arg("-d").arg("-c").arg(&configuration);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        world.peer.confine(&mut command)?;
        let child = command
            .spawn()
            .context("cannot start unbound: `cargo xtask setup` installs it")?;
        let resolver = Self {
            child,
            _directory: directory,
        };
        world.peer.run(|| wait_for_answer(at))?;
        Ok(resolver)
    }
}

/// Asks for `ns.example.` until it is answered.
fn wait_for_answer(at: Ipv4Addr) -> anyhow::Result<()> {
    const QUESTION: &[u8] = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x02ns\x07example\0\0\x01\0\x01";
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        // Refused while nobody listens yet.
        let _ = socket.send_to(QUESTION, (at, 53));
        if socket.recv(&mut [0; 512]).is_ok() {
            return Ok(());
        }
    }
    bail!("unbound does not answer at {at}")
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
