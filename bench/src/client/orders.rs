//! What the client is told and what it says.

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::flood::enough_of;

/// Where a run happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Directory of the cgroup.
    pub(crate) cgroup: PathBuf,
    /// Network namespace of the client.
    pub(crate) client: PathBuf,
    /// Network namespace in which every address answers.
    pub(crate) peer: PathBuf,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub(crate) enum Load {
    /// TCP connections, each to a new address; `connect` alone is timed.
    Connect,
    /// Datagrams of 18 bytes over a connected socket.
    Connected,
    /// Datagrams of 18 bytes, each to a new address.
    Scattered,
    /// 64 KiB over a TCP connection, there and read.
    Bulk,
    /// A question to a resolver and its answer, over UDP.
    Lookup,
    /// Datagrams of 18 bytes, each to an address that was looked up just before.
    Named,
}

/// One line to the client.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    Do(Task),
    /// Leave the cgroup under test, which then can go.
    Rest,
}

/// Work at a place.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) place: Place,
    /// A file of addresses, 16 bytes each.
    pub(crate) destinations: PathBuf,
    pub(crate) work: Work,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Sends, in so many batches.
    Time { load: Load, batches: u32 },
    /// Sends one datagram to each destination and says which were permitted.
    Probe,
    /// The same, but looks each one up before.
    ProbeNamed,
    /// Sends so many datagrams, and on until the file `end` is there.
    Flood {
        sends: u64,
        outside: PathBuf,
        end: PathBuf,
    },
}

/// One line from the client.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Timed(Timed),
    /// For each destination, in the order of the file.
    Permitted(Vec<bool>),
    Flooded(Flooded),
    Rested,
    /// Why not.
    Failed(String),
}

/// What a timed run found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Timed {
    /// Nanoseconds for each operation, one value for each batch.
    pub(crate) batches: Vec<f64>,
    /// Operations, those that only warmed up included.
    pub(crate) operations: u64,
}

/// What a flood found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Flooded {
    pub(crate) sent: u64,
    /// Permitted destinations that were refused.
    pub(crate) refused: u64,
    /// Destinations outside that were permitted.
    pub(crate) leaked: u64,
    /// 99th percentile of a permitted send.
    pub(crate) p99_ns: u64,
}

/// A running client. Killed on drop.
pub(crate) struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// Starts one: this program again.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("client")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the client")?;
        let input = child.stdin.take().context("no pipe to the client")?;
        let output = child.stdout.take().context("no pipe from the client")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// Nanoseconds of one operation: the median over the batches, which a batch that was disturbed
    /// does not move.
    ///
    /// # Errors
    /// An operation failed.
    pub(crate) fn ns(
        &mut self,
        place: &Place,
        destinations: &Path,
        load: Load,
        batches: u32,
    ) -> Result<f64> {
        let Timed { mut batches, .. } = self.time(place, destinations, load, batches)?;
        batches.sort_unstable_by(f64::total_cmp);
        let middle = batches.get(batches.len() / 2);
        middle.copied().context("no batch was timed")
    }

    /// One run.
    ///
    /// # Errors
    /// An operation failed.
    pub(crate) fn time(
        &mut self,
        place: &Place,
        destinations: &Path,
        load: Load,
        batches: u32,
    ) -> Result<Timed> {
        let work = Work::Time { load, batches };
        let Answer::Timed(timed) = self.order(place, destinations, work)? else {
            bail!(UNEXPECTED);
        };
        Ok(timed)
    }

    /// Which destinations a datagram may be sent to.
    ///
    /// # Errors
    /// Sending failed for another reason than being refused.
    pub(crate) fn probe(&mut self, place: &Place, destinations: &Path) -> Result<Vec<bool>> {
        self.permitted(place, destinations, Work::Probe)
    }

    /// The same after a lookup of each.
    ///
    /// # Errors
    /// As [`probe`](Self::probe), or there is no answer.
    pub(crate) fn probe_named(&mut self, place: &Place, destinations: &Path) -> Result<Vec<bool>> {
        self.permitted(place, destinations, Work::ProbeNamed)
    }

    fn permitted(&mut self, place: &Place, to: &Path, work: Work) -> Result<Vec<bool>> {
        let Answer::Permitted(permitted) = self.order(place, to, work)? else {
            bail!(UNEXPECTED);
        };
        Ok(permitted)
    }

    /// Starts to send to `destinations`, and now and then to one of `outside`.
    ///
    /// # Errors
    /// The client has ended.
    pub(crate) fn begin_flood(
        &mut self,
        place: &Place,
        (destinations, outside): (&Path, &Path),
        sends: u64,
    ) -> Result<()> {
        let end = end_of(outside);
        for file in [&end, &enough_of(&end)] {
            match fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        let outside = outside.into();
        let work = Work::Flood {
            sends,
            outside,
            end,
        };
        self.say_do(place, destinations, work)
    }

    /// Whether a flood has sent as many as were asked for, or has failed.
    pub(crate) fn has_sent_enough(&mut self, outside: &Path) -> Result<bool> {
        let ended = self.child.try_wait()?.is_some();
        Ok(ended || enough_of(&end_of(outside)).exists())
    }

    /// Ends it, once as many datagrams are sent as were asked for.
    ///
    /// # Errors
    /// Sending failed for another reason than being refused.
    pub(crate) fn end_flood(&mut self, outside: &Path) -> Result<Flooded> {
        fs::write(end_of(outside), "")?;
        let Answer::Flooded(flooded) = self.hear()? else {
            bail!(UNEXPECTED);
        };
        Ok(flooded)
    }

    /// Makes it leave the cgroup under test: who removes a cgroup ends what is in it.
    ///
    /// # Errors
    /// The client has ended.
    pub(crate) fn rest(&mut self) -> Result<()> {
        self.say(&Order::Rest)?;
        let Answer::Rested = self.hear()? else {
            bail!(UNEXPECTED);
        };
        Ok(())
    }

    fn order(&mut self, place: &Place, destinations: &Path, work: Work) -> Result<Answer> {
        self.say_do(place, destinations, work)?;
        self.hear()
    }

    fn say_do(&mut self, place: &Place, destinations: &Path, work: Work) -> Result<()> {
        self.say(&Order::Do(Task {
            place: place.clone(),
            destinations: destinations.into(),
            work,
        }))
    }

    fn say(&mut self, order: &Order) -> Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.input.write_all(&line).context("the client has ended")
    }

    fn hear(&mut self) -> Result<Answer> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer = serde_json::from_str(&line);
        let answer = answer.with_context(|| format!("the client said `{line}`"))?;
        if let Answer::Failed(why) = answer {
            bail!(why);
        }
        Ok(answer)
    }
}

/// The file that ends a flood.
fn end_of(outside: &Path) -> PathBuf {
    outside.with_extension("end")
}

const UNEXPECTED: &str = "the client answered another question";

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
