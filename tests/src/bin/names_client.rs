//! A program that looks names up and connects, and one that tries to make up the answers.
//!
//! Each argument is a step; each step writes a line: `passed`, `refused`, or what it counted.

use std::{
    fs::OpenOptions,
    io::{self, BufRead as _, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    os::fd::AsRawFd as _,
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use hickory_proto::{
    op::{Message, MessageType, Query},
    rr::{Name, RData, Record, RecordType, rdata},
};

/// Longer than a resolver on this machine takes.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<()> {
    for step in std::env::args().skip(1) {
        let words: Vec<&str> = step.split_whitespace().collect();
        let said = run(&words).with_context(|| step.clone())?;
        println!("{said}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn run(words: &[&str]) -> anyhow::Result<String> {
    match words {
        ["pairs", resolver, count, zone, port] => {
            pairs(resolver.parse()?, count.parse()?, zone, port.parse()?)
        }
        ["name", resolver, name, port] => {
            let address = lookup(resolver.parse()?, name)?;
            Ok(outcome(connect((address, port.parse()?).into())))
        }
        ["tcp-name", resolver, name, port] => {
            let message = question(name)?;
            let address = address(&ask_tcp(resolver.parse()?, &message)?)?;
            Ok(outcome(connect((address, port.parse()?).into())))
        }
        ["lookup", resolver, name] => Ok(lookup(resolver.parse()?, name)?.to_string()),
        ["wait"] => {
            io::stdin().lock().read_line(&mut String::new())?;
            Ok("told".to_owned())
        }
        ["address", address] => Ok(outcome(connect(address.parse()?))),
        ["stay", resolver, name, port] => stay(resolver.parse()?, name, port.parse()?),
        ["own-resolver", resolver, name, address] => {
            own_resolver(resolver.parse()?, name, address.parse()?)
        }
        ["tun", resolver, name, address] => tun(resolver.parse()?, name, address.parse()?),
        ["hostile", resolver, name, address] => {
            // The answer is not for this question: whether it arrives does not matter.
            let _ = lookup(resolver.parse()?, name);
            Ok(outcome(connect(address.parse()?)))
        }
        _ => bail!("no such step"),
    }
}

fn pairs(resolver: IpAddr, count: u32, zone: &str, port: u16) -> anyhow::Result<String> {
    let mut refused = 0;
    for number in 0..count {
        let address = lookup(resolver, &format!("n{number}.{zone}"))?;
        if connect((address, port).into()).is_err() {
            refused += 1;
        }
    }
    Ok(format!("{} passed, {refused} refused", count - refused))
}

/// Connects, then echoes once for each line of standard input until it ends.
fn stay(resolver: IpAddr, name: &str, port: u16) -> anyhow::Result<String> {
    let address = lookup(resolver, name)?;
    let mut stream = connect((address, port).into())?;
    println!("connected");
    for line in io::stdin().lock().lines() {
        drop(line?);
        let said = echo(&mut stream).map_or("cut", |()| "alive");
        println!("{said}");
        io::stdout().flush()?;
    }
    Ok("ended".to_owned())
}

fn echo(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"hello")?;
    stream.read_exact(&mut [0; 5])
}

fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&to, Duration::from_secs(2))
}

fn outcome(connected: io::Result<TcpStream>) -> String {
    connected.map_or("refused", |_| "passed").to_owned()
}

fn question(name: &str) -> anyhow::Result<Message> {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name)?, RecordType::A));
    Ok(message)
}

/// The first address, over TCP where the answer does not fit. Every other time the socket is not
/// connected.
fn lookup(resolver: IpAddr, name: &str) -> anyhow::Result<IpAddr> {
    let message = question(name)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let bytes = message.to_vec()?;
    if message.metadata.id % 2 == 0 {
        socket.connect((resolver, 53))?;
        socket.send(&bytes)?;
    } else {
        socket.send_to(&bytes, (resolver, 53))?;
    }
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).context("no answer")?;
    let answer = Message::from_vec(&buffer[..length])?;
    if answer.metadata.truncation {
        return address(&ask_tcp(resolver, &message)?);
    }
    address(&answer)
}

fn ask_tcp(resolver: IpAddr, message: &Message) -> anyhow::Result<Message> {
    let mut stream = TcpStream::connect_timeout(&(resolver, 53).into(), PATIENCE)?;
    let bytes = message.to_vec()?;
    let framed = [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat();
    stream.write_all(&framed)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer)?;
    Ok(Message::from_vec(&answer)?)
}

fn address(answer: &Message) -> anyhow::Result<IpAddr> {
    let mut addresses = answer.answers.iter().filter_map(|record| {
        if let RData::A(rdata::A(v4)) = &record.data {
            Some(IpAddr::V4(*v4))
        } else {
            None
        }
    });
    addresses.next().context("the answer has no address")
}

/// The answer that somebody would like to have.
fn made_up(question: &[u8], address: Ipv4Addr) -> anyhow::Result<Vec<u8>> {
    let question = Message::from_vec(question)?;
    let mut answer = Message::new(
        question.metadata.id,
        MessageType::Response,
        question.metadata.op_code,
    );
    let asked = question.queries.first().context("no question")?.clone();
    let data = RData::A(rdata::A(address));
    answer.answers = vec![Record::from_rdata(asked.name().clone(), 300, data)];
    answer.add_query(asked);
    Ok(answer.to_vec()?)
}

fn v4(address: SocketAddr) -> anyhow::Result<Ipv4Addr> {
    match address.ip() {
        IpAddr::V4(v4) => Ok(v4),
        IpAddr::V6(_) => bail!("an IPv4 address is needed"),
    }
}

/// Takes the resolver's address and answers itself.
fn own_resolver(resolver: IpAddr, name: &str, to: SocketAddr) -> anyhow::Result<String> {
    ip(&format!("addr add {resolver}/32 dev lo"))?;
    let socket = UdpSocket::bind((resolver, 53))?;
    let address = v4(to)?;
    thread::spawn(move || -> anyhow::Result<()> {
        let mut buffer = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut buffer)?;
            socket.send_to(&made_up(&buffer[..length], address)?, from)?;
        }
    });
    let learnt = lookup(resolver, name).is_ok();
    let said = outcome(connect(to));
    ip(&format!("addr del {resolver}/32 dev lo"))?;
    Ok(format!(
        "{said}, answer {}",
        if learnt { "seen" } else { "not seen" }
    ))
}

/// Routes the resolver to a device of its own and answers there.
fn tun(resolver: IpAddr, name: &str, to: SocketAddr) -> anyhow::Result<String> {
    const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
    const IFF_TUN_WITHOUT_INFO: u16 = 0x1001;
    let mut device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    let mut request = [0_u8; 40];
    request[..4].copy_from_slice(b"tunx");
    request[16..18].copy_from_slice(&IFF_TUN_WITHOUT_INFO.to_ne_bytes());
    // SAFETY: the request is a `struct ifreq` and lives until the call returns.
    let made = unsafe { libc::ioctl(device.as_raw_fd(), TUNSETIFF, request.as_mut_ptr()) };
    ensure!(made == 0, "no tun device: {}", io::Error::last_os_error());
    ip("addr add 10.99.0.1/24 dev tunx")?;
    ip("link set tunx up")?;
    ip(&format!("route add {resolver}/32 dev tunx"))?;
    let address = v4(to)?;
    let (told, seen) = mpsc::channel();
    thread::spawn(move || -> anyhow::Result<()> {
        let mut buffer = [0; 2048];
        loop {
            let length = device.read(&mut buffer)?;
            let packet = &buffer[..length];
            // IPv4 without options, UDP, to port 53.
            if length > 28 && packet[0] == 0x45 && packet[9] == 17 && packet[22..24] == [0, 53] {
                let answer = made_up(&packet[28..], address)?;
                // Before the answer, which is delivered at once. Nobody may wait any more.
                let _ = told.send(());
                device.write_all(&datagram_back(packet, &answer))?;
            }
        }
    });
    let learnt = lookup(resolver, name).is_ok();
    ensure!(
        seen.try_recv().is_ok(),
        "the question did not come to the device"
    );
    let said = outcome(connect(to));
    Ok(format!(
        "{said}, answer {}",
        if learnt { "seen" } else { "not seen" }
    ))
}

/// A datagram with addresses and ports of `packet` the other way round.
fn datagram_back(packet: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut back = packet[..28].to_vec();
    let length = (28 + payload.len()) as u16;
    back[2..4].copy_from_slice(&length.to_be_bytes());
    back[12..16].copy_from_slice(&packet[16..20]);
    back[16..20].copy_from_slice(&packet[12..16]);
    back[20..22].copy_from_slice(&packet[22..24]);
    back[22..24].copy_from_slice(&packet[20..22]);
    back[24..26].copy_from_slice(&(length - 20).to_be_bytes());
    // No UDP checksum (RFC 768), and that of the header anew.
    back[26..28].copy_from_slice(&[0, 0]);
    back[10..12].copy_from_slice(&[0, 0]);
    let mut sum: u32 = back[..20]
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    back[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    back.extend_from_slice(payload);
    back
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    let status = Command::new("ip")
        .args(arguments.split_whitespace())
        .status()?;
    ensure!(status.success(), "`ip {arguments}` failed");
    Ok(())
}
