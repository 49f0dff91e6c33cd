//! From a refused connect to its record at a sink.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use nix::time::{ClockId, clock_gettime};

use super::{cgroup::Cgroup, world::World};

/// A sink on this machine, which sees a record as soon as it is sent.
#[derive(Debug)]
pub struct RecordSocket {
    socket: UnixDatagram,
    path: PathBuf,
}

/// A process that is refused. Killed on drop.
#[derive(Debug)]
pub struct Refused {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl RecordSocket {
    /// One in a directory. A record that does not come for ten seconds is an error.
    ///
    /// # Errors
    /// The path is too long for a socket.
    pub fn bind(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("records");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { socket, path })
    }

    /// The sink for refusals, as `--events` takes it.
    #[must_use]
    pub fn sink(&self) -> String {
        format!(
            "syslog+unix:{}?format=ecs&verdict=deny",
            self.path.display()
        )
    }

    /// Waits for the record of a refusal, and says when it was there.
    fn wait_for(&self, destination: SocketAddr) -> anyhow::Result<Duration> {
        let (ip, port) = (destination.ip(), destination.port());
        let address = format!("\"ip\":\"{ip}\",\"port\":{port}");
        let mut record = vec![0; 64 << 10];
        loop {
            let length = self.socket.recv(&mut record);
            let length = length.with_context(|| format!("no record of {destination}"))?;
            let arrived = now()?;
            if String::from_utf8_lossy(&record[..length]).contains(&address) {
                return Ok(arrived);
            }
        }
    }
}

impl Refused {
    /// Starts it in the client namespace, in a cgroup that may go nowhere.
    ///
    /// # Errors
    /// It has not been built.
    pub fn start(world: &World, workload: &Cgroup) -> anyhow::Result<Self> {
        let mut command = Command::new(super::binary("refused")?);
        world.client.confine(&mut command)?;
        workload.confine(&mut command)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start `refused`")?;
        let input = child.stdin.take().context("no pipe to it")?;
        let output = child.stdout.take().context("no pipe from it")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// Has it connect for the first time to a destination. Gives the time from the return of `connect`
    /// to the arrival of the record.
    ///
    /// # Errors
    /// It was not refused, or no record came.
    pub fn time_to_record(
        &mut self,
        destination: SocketAddr,
        records: &RecordSocket,
    ) -> anyhow::Result<Duration> {
        writeln!(self.input, "{destination}")?;
        let mut said = String::new();
        self.output.read_line(&mut said)?;
        let said = said.trim();
        let (returned, error) = said.split_once(' ').context("it ended")?;
        ensure!(
            error.parse() == Ok(libc::EPERM),
            "{destination} was not refused: {said}"
        );
        let returned = Duration::from_nanos(returned.parse()?);
        // The record may be faster than the scheduler.
        Ok(records.wait_for(destination)?.saturating_sub(returned))
    }
}

fn now() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?.into())
}

impl Drop for Refused {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
