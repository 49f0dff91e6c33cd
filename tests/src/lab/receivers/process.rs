//! Servers of others, as processes.

use std::{
    env,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A port of loopback that was free a moment ago.
pub(super) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.port())
}

/// Where `cargo xtask setup` has put the servers.
pub(super) fn packages() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program.ancestors().nth(3);
    let packages = target
        .context("target/PROFILE/deps/test")?
        .join("receivers");
    ensure!(
        packages.is_dir(),
        "{} is missing: run `cargo xtask setup`",
        packages.display()
    );
    Ok(packages)
}

/// A running server. Killed on drop.
#[derive(Debug)]
pub(super) struct Running(Child);

impl Running {
    /// Starts it and waits until it listens on all of `ports`.
    pub(super) fn start(mut command: Command, ports: &[u16]) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let program = command.get_program().to_owned();
        let mut running = Self(command.spawn().with_context(|| format!("{program:?}"))?);
        let until = Instant::now() + Duration::from_secs(30);
        for port in ports {
            let address = SocketAddr::from(([127, 0, 0, 1], *port));
            while TcpStream::connect(address).is_err() {
                let ended = running.0.try_wait()?;
                ensure!(ended.is_none(), "{program:?} ended: {ended:?}");
                ensure!(
                    Instant::now() < until,
                    "{program:?} listens on no {address}"
                );
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(running)
    }

    /// Stops it as an operator does, and waits for its end.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGTERM)?;
        self.0.wait()?;
        Ok(())
    }

    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(self.0.id() as i32), signal)?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
