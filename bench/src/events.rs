//! How many first refusals a second one core takes from the kernel's record to a line at a sink.

use std::{
    fs,
    io::Read as _,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use enforcer::events::{
    Aggregator, Clock, Enricher, Observer, Offenders, Pipeline, ProcFs, Record, Sequence, SinkSpec,
    clock::boottime_ns,
    encode::Format,
    samples::{self, SampleContext},
};
use enforcer_common::abi::Event;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::quartiles::Quartiles;

const EVENTS: u32 = 200_000;
/// As many as a kernel's flow table holds.
const FLOWS: u32 = 65_536;
/// As many as the daemon may find in the ring at once.
const BATCH: u32 = 1000;
/// The ring would hold what is not drained; here it is the sink that must keep up. Over a stream of
/// syslog records wait until their connection has ended, which is after some MiB.
const MOST_WAITING: u64 = 13 * BATCH as u64;

/// How fast one format goes to one kind of sink.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EventRate {
    pub(crate) format: String,
    pub(crate) sink: String,
    /// Of a record, in the mean.
    pub(crate) bytes: f64,
    /// Records a second, all threads side by side.
    pub(crate) a_second: Quartiles,
    /// Records a second of one core: all threads taken together.
    pub(crate) a_second_of_core: Quartiles,
}

/// Measures each format and kind of sink, `rounds` times.
///
/// # Errors
/// A sink cannot be opened, or a record was lost.
pub(crate) fn measure(rounds: usize) -> Result<Vec<EventRate>> {
    let mut rates = Vec::new();
    for (_, format) in Format::CHOICES {
        for sink in ["file", "syslog+tcp"] {
            let runs = (0..rounds).map(|round| {
                eprintln!("    {format} to {sink}, {} of {rounds}", round + 1);
                run(format, sink)
            });
            let runs = runs.collect::<Result<Vec<Run>>>()?;
            let rate = |seconds: fn(&Run) -> f64| {
                let rates = runs.iter().map(|run| f64::from(EVENTS) / seconds(run));
                Quartiles::of(rates.collect()).context("no run")
            };
            rates.push(EventRate {
                format: format.to_owned(),
                sink: sink.to_owned(),
                bytes: runs[0].bytes as f64 / f64::from(EVENTS),
                a_second: rate(|run| run.wall)?,
                a_second_of_core: rate(|run| run.cpu)?,
            });
        }
    }
    Ok(rates)
}

/// Seconds, and what arrived.
struct Run {
    wall: f64,
    cpu: f64,
    bytes: u64,
}

/// Where the records go.
enum End {
    File(tempfile::TempDir),
    /// Reads all, and says of it what [`Arrived`] has. A connection without a byte ends it.
    Peer(SocketAddr, JoinHandle<Arrived>),
}

/// What came to an end.
struct Arrived {
    bytes: u64,
    /// When the last of it came.
    last: Instant,
    /// Seconds of a core that reading it took.
    cpu: f64,
}

impl End {
    fn open(format: &str, sink: &str) -> Result<(Self, SinkSpec)> {
        if sink == "file" {
            let directory = tempfile::tempdir()?;
            let path = directory.path().join("events");
            let spec = format!("file:{}?format={format}", path.display()).parse()?;
            return Ok((Self::File(directory), spec));
        }
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let peer = thread::spawn(move || {
            // The sink ends its connections to learn what was read, and opens others.
            let mut arrived = Arrived::nothing();
            for connection in listener.incoming().map_while(Result::ok) {
                if !arrived.drain(connection) {
                    break;
                }
            }
            arrived.cpu = seconds(ClockId::CLOCK_THREAD_CPUTIME_ID);
            arrived
        });
        let spec = format!("{sink}://{address}?format={format}").parse()?;
        Ok((Self::Peer(address, peer), spec))
    }

    fn close(self) -> Result<Arrived> {
        match self {
            Self::File(directory) => {
                let file = fs::metadata(directory.path().join("events"))?;
                Ok(Arrived {
                    bytes: file.len(),
                    ..Arrived::nothing()
                })
            }
            Self::Peer(address, peer) => {
                drop(TcpStream::connect(address)?);
                peer.join().ok().context("the peer panicked")
            }
        }
    }
}

impl Arrived {
    fn nothing() -> Self {
        Self {
            bytes: 0,
            last: Instant::now(),
            cpu: 0.0,
        }
    }

    /// Reads to the end; `false` when nothing came.
    fn drain(&mut self, mut peer: TcpStream) -> bool {
        let mut buffer = vec![0; 1 << 20];
        let before = self.bytes;
        while let Ok(read @ 1..) = peer.read(&mut buffer) {
            self.bytes += read as u64;
            self.last = Instant::now();
        }
        self.bytes > before
    }
}

fn run(format: &str, sink: &str) -> Result<Run> {
    let (end, spec) = End::open(format, sink)?;
    let observer = Observer::this_host();
    let numbers = Sequence::of_run(&observer.run);
    let mut pipeline = Pipeline::open(&observer, &[spec], None, numbers)?;
    let enricher = Enricher::new(
        SampleContext::of_everything(),
        ProcFs::at(Path::new("/proc")),
    );
    let mut aggregator = Aggregator::new(enricher, Clock::now(), Duration::from_secs(60));
    let mut offenders = Offenders::default();
    let comm = own_name()?;
    let (started, before) = (Instant::now(), seconds(ClockId::CLOCK_PROCESS_CPUTIME_ID));
    for first in (0..EVENTS).step_by(BATCH as usize) {
        // As in the ring: all of a batch has happened before the first of it is read.
        let events: Vec<Event> = (first..first + BATCH)
            .map(|number| event(number, comm))
            .collect();
        for event in &events {
            let record = Record::Violation(aggregator.first(event));
            pipeline.push(&record);
            if let Record::Violation(violation) = &record
                && let Some(finding) = offenders.note(violation, pipeline.sequence())
            {
                pipeline.push(&Record::Finding(finding));
            }
        }
        pipeline.flush();
        wait_until_fewer_wait(&pipeline, MOST_WAITING);
    }
    wait_until_fewer_wait(&pipeline, 0);
    let settled = Instant::now();
    let cpu = seconds(ClockId::CLOCK_PROCESS_CPUTIME_ID) - before;
    let lost: u64 = pipeline.status().map(|sink| sink.lost).sum();
    ensure!(lost == 0, "{lost} events were lost");
    drop(pipeline);
    let in_file = matches!(end, End::File(_));
    let arrived = end.close()?;
    // That all of it was read, a sink over syslog knows some seconds after.
    let last = if in_file { settled } else { arrived.last };
    Ok(Run {
        wall: (last - started).as_secs_f64(),
        cpu: cpu - arrived.cpu,
        bytes: arrived.bytes,
    })
}

fn wait_until_fewer_wait(pipeline: &Pipeline, most: u64) {
    while pipeline.status().any(|sink| sink.waiting > most) {
        // Spinning would count as work of the pipeline.
        thread::sleep(Duration::from_millis(1));
    }
}

/// A first refusal of this process.
fn event(number: u32, comm: [u8; 16]) -> Event {
    Event {
        at_ns: boottime_ns(),
        pid: std::process::id(),
        comm,
        ..samples::event_to(number % FLOWS)
    }
}

/// As the kernel keeps it, so that the process is looked up in `/proc`.
fn own_name() -> Result<[u8; 16]> {
    let name = fs::read("/proc/self/comm")?;
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    let mut comm = [0; 16];
    comm[..name.len()].copy_from_slice(name);
    Ok(comm)
}

fn seconds(clock: ClockId) -> f64 {
    // These clocks are there on every Linux.
    clock_gettime(clock).map_or(0.0, |time| Duration::from(time).as_secs_f64())
}
