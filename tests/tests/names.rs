//! Names from DNS: what resolvers answered opens the way to an address, and nothing else does.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Lines, Write as _},
    iter,
    net::{Ipv4Addr, UdpSocket},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    thread,
    time::Duration,
};

use enforcer_tests::lab::{self, Confined, Peer, Resolver, World};
use hickory_proto::{
    op::{Message, MessageType},
    rr::{Name, RData, Record, rdata},
};
use serde_json::{Value, json};

/// A resolver, and one that answers what nobody asked.
const RESOLVER: Ipv4Addr = Ipv4Addr::new(52, 0, 0, 53);
const HOSTILE: Ipv4Addr = Ipv4Addr::new(52, 0, 0, 54);
/// An address whose only permitted name is never answered well.
const FORBIDDEN: &str = "52.66.6.6:443";
/// Names below `many.example.` that are looked up and connected to.
const PAIRS: u32 = 10_000;

const POLICY: &str = "
apiVersion: enforcer.dev/v1alpha1
kind: EgressPolicy
metadata: {name: names}
spec:
  selector: [{exec: true}]
  default: deny
  dns: {resolvers: [52.0.0.53, 52.0.0.54, 127.0.0.99]}
  rules:
    - name: names
      action: allow
      peers: [{fqdns: [api.example, alias.example, big.example, '*.many.example']}]
      ports: [443/tcp]
";

const RECORDS: &str = "
api.example. 0 IN A 52.2.0.1
other.example. 300 IN A 52.2.0.2
alias.example. 300 IN CNAME one.example.
one.example. 300 IN CNAME two.example.
two.example. 300 IN A 52.2.0.3
points.example. 300 IN CNAME api.example.
many.example. 300 IN A 52.2.0.4
";

fn records() -> String {
    let mut records = RECORDS.to_owned();
    for number in 0..PAIRS {
        let (high, low) = (number >> 8, number & 0xff);
        writeln!(records, "n{number}.many.example. 60 IN A 52.1.{high}.{low}").expect("written");
    }
    // More than fits 512 bytes.
    for number in 0..40 {
        writeln!(records, "big.example. 300 IN A 52.3.0.{number}").expect("written");
    }
    records
}

/// What a confined client says of each step.
fn said(world: &World, steps: &[&str]) -> Vec<String> {
    let confined = confined(world);
    let client = lab::binary("names-client").expect("a client");
    let words = [client.to_str().expect("a path")].into_iter();
    let output = confined
        .output(words.chain(steps.iter().copied()))
        .expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().map(str::to_owned).collect()
}

fn confined(world: &World) -> Confined<'_> {
    Confined::new(world)
        .and_then(|confined| confined.policy_text(POLICY))
        .expect("a policy")
}

#[test]
fn the_first_connection_after_a_lookup_passes() {
    let world = World::new().expect("a world");
    let _peer = Peer::listen(&world.peer, &[443]).expect("listeners");
    let _resolver = Resolver::start(&world, RESOLVER, &records()).expect("a resolver");
    let step = format!("pairs {RESOLVER} {PAIRS} many.example 443");
    assert_eq!(
        said(&world, &[&step]),
        [format!("{PAIRS} passed, 0 refused")]
    );
}

#[test]
fn only_what_the_names_of_the_policy_open() {
    let world = World::new().expect("a world");
    let _peer = Peer::listen(&world.peer, &[443, 8443]).expect("listeners");
    let _resolver = Resolver::start(&world, RESOLVER, &records()).expect("a resolver");
    let cases = [
        ("address 52.2.0.1:443", "refused", "nobody looked it up"),
        ("name 52.0.0.53 api.example 443", "passed", "a name"),
        ("name 52.0.0.53 API.eXample 443", "passed", "in any case"),
        ("name 52.0.0.53 api.example 8443", "refused", "another port"),
        (
            "name 52.0.0.53 other.example 443",
            "refused",
            "another name",
        ),
        (
            "name 52.0.0.53 many.example 443",
            "refused",
            "a wildcard is not the name itself",
        ),
        ("name 52.0.0.53 n7.many.example 443", "passed", "a wildcard"),
        (
            "name 52.0.0.53 alias.example 443",
            "passed",
            "the name of an alias",
        ),
        (
            "name 52.0.0.53 points.example 443",
            "passed",
            "an alias of the name",
        ),
        (
            "tcp-name 52.0.0.53 n8.many.example 443",
            "passed",
            "over TCP",
        ),
        (
            "name 52.0.0.53 big.example 443",
            "passed",
            "TCP because it is too long",
        ),
    ];
    let steps = cases.map(|(step, _, _)| step);
    for ((step, expected, why), said) in cases.into_iter().zip(said(&world, &steps)) {
        assert_eq!(said, expected, "{step}: {why}");
    }
}

#[test]
fn a_record_has_the_name_that_a_policy_spells_out_else_its_pattern() {
    let world = World::new().expect("a world");
    let _resolver = Resolver::start(&world, RESOLVER, &records()).expect("a resolver");
    let confined = confined(&world);
    let client = lab::binary("names-client").expect("a client");
    let steps = [
        "name 52.0.0.53 api.example 8443",
        "name 52.0.0.53 n7.many.example 8443",
        "name 52.0.0.53 alias.example 8443",
        "name 52.0.0.53 other.example 8443",
    ];
    let words = iter::once(client.to_str().expect("a path")).chain(steps);
    let output = confined.output(words).expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let events = confined.events.read().expect("lines");
    let told = |ip: &str| {
        let mut events = events.iter();
        let event = events.find(|event| event["destination"]["ip"] == ip);
        let event = event.unwrap_or_else(|| panic!("no record of {ip}"));
        let domain = event["destination"]["domain"].clone();
        (domain, event["enforcer"]["name_patterns"].clone())
    };
    let exact = |name: &str| (json!(name), json!([name]));
    assert_eq!(told("52.2.0.1"), exact("api.example"));
    assert_eq!(told("52.2.0.3"), exact("alias.example"));
    assert_eq!(told("52.1.0.7"), (Value::Null, json!(["*.many.example"])));
    // No policy knows its name.
    assert_eq!(told("52.2.0.2"), (Value::Null, Value::Null));
}

#[test]
fn answers_that_a_workload_makes_up_open_nothing() {
    let world = World::new().expect("a world");
    let _peer = Peer::listen(&world.peer, &[443]).expect("listeners");
    for resolver in ["127.0.0.99", "52.0.0.54"] {
        let own = format!("own-resolver {resolver} api.example {FORBIDDEN}");
        assert_eq!(
            said(&world, &[&own]),
            ["refused, answer not seen"],
            "{resolver}"
        );
    }
    let tun = format!("tun {RESOLVER} api.example {FORBIDDEN}");
    // The program reads what it wrote itself; it is not believed.
    assert_eq!(said(&world, &[&tun]), ["refused, answer seen"]);
}

#[test]
fn answers_that_nobody_asked_for_open_nothing() {
    let world = World::new().expect("a world");
    let _peer = Peer::listen(&world.peer, &[443]).expect("listeners");
    let _hostile = hostile(&world);
    let ways = ["number", "name", "type", "port", "address"];
    let steps = ways.map(|way| format!("hostile {HOSTILE} {way}.many.example {FORBIDDEN}"));
    let good = format!("hostile {HOSTILE} good.many.example {FORBIDDEN}");
    let steps: Vec<&str> = steps.iter().map(String::as_str).chain([&*good]).collect();
    let said = said(&world, &steps);
    for (way, said) in ways.into_iter().zip(&said) {
        assert_eq!(said, "refused", "another {way}");
    }
    assert_eq!(
        said[ways.len()],
        "passed",
        "otherwise the others show nothing"
    );
}

/// Answers each question with the forbidden address, and all but `good` with one thing wrong.
fn hostile(world: &World) -> thread::JoinHandle<()> {
    let at =
        |address: Ipv4Addr, port| Peer::udp_at(world, (address, port).into()).expect("a socket");
    let (socket, port) = (at(HOSTILE, 53), at(HOSTILE, 54));
    let elsewhere = at(Ipv4Addr::new(52, 0, 0, 55), 53);
    // Longer than a client waits for all the answers that it does not believe.
    let patience = Duration::from_secs(120);
    socket.set_read_timeout(Some(patience)).expect("a timeout");
    thread::spawn(move || {
        let mut buffer = [0; 512];
        // Ends with the silence after the test.
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let question = Message::from_vec(&buffer[..length]).expect("a question");
            let way = question.queries[0]
                .name()
                .iter()
                .next()
                .expect("a label")
                .to_vec();
            let from_socket: &UdpSocket = match &way[..] {
                b"port" => &port,
                b"address" => &elsewhere,
                _ => &socket,
            };
            let answer = answer(&question, &way).to_vec().expect("an answer");
            from_socket.send_to(&answer, from).expect("sent");
        }
    })
}

fn answer(question: &Message, way: &[u8]) -> Message {
    let metadata = question.metadata;
    let id = metadata.id.wrapping_add(u16::from(way == b"number"));
    let mut answer = Message::new(id, MessageType::Response, metadata.op_code);
    let mut asked = question.queries[0].clone();
    if way == b"name" {
        asked.set_name(Name::from_ascii("api.example.").expect("a name"));
    }
    if way == b"type" {
        asked.set_query_type(hickory_proto::rr::RecordType::AAAA);
    }
    let data = RData::A(rdata::A(Ipv4Addr::new(52, 66, 6, 6)));
    answer.answers = vec![Record::from_rdata(asked.name().clone(), 300, data)];
    answer.add_query(asked);
    answer
}

/// It takes as long as the shortest time for which an answer is believed.
#[test]
fn an_open_connection_outlives_its_name() {
    let world = World::new().expect("a world");
    let _peer = Peer::listen(&world.peer, &[443]).expect("listeners");
    let _resolver = Resolver::start(&world, RESOLVER, &records()).expect("a resolver");
    let stay = format!("stay {RESOLVER} api.example 443");
    let (idle, busy, none) = (confined(&world), confined(&world), confined(&world));
    let mut idle = Client::start(&idle, &[&stay]);
    let mut busy = Client::start(&busy, &[&stay, "address 52.2.0.1:443"]);
    let lookup = format!("lookup {RESOLVER} api.example");
    let mut none = Client::start(&none, &[&lookup, "wait", "address 52.2.0.1:443"]);
    assert_eq!(idle.said(), "connected");
    assert_eq!(busy.said(), "connected");
    assert_eq!(none.said(), "52.2.0.1");
    for _ in 0..3 {
        thread::sleep(Duration::from_secs(21));
        busy.tell();
        assert_eq!(busy.said(), "alive");
    }
    // 63 seconds: the name held for 60.
    idle.tell();
    assert_eq!(idle.said(), "alive", "an open connection stays");
    none.tell();
    assert_eq!(none.said(), "told");
    assert_eq!(none.said(), "refused", "a new one needs a new answer");
    busy.end();
    assert_eq!(busy.said(), "ended");
    assert_eq!(busy.said(), "passed", "or that another is in use");
}

/// A confined client that waits for what it is told. Killed on drop.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Client {
    fn start(confined: &Confined<'_>, steps: &[&str]) -> Self {
        let mut command = confined.command().expect("a command");
        command.arg(lab::binary("names-client").expect("a client"));
        command.args(steps);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a client");
        let output = child.stdout.take().expect("its output");
        Self {
            input: child.stdin.take(),
            lines: BufReader::new(output).lines(),
            child,
        }
    }

    fn tell(&mut self) {
        let input = self.input.as_mut().expect("not ended");
        writeln!(input).expect("told");
    }

    fn end(&mut self) {
        self.input = None;
    }

    fn said(&mut self) -> String {
        self.lines.next().expect("a line").expect("text")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.input = None;
        // It ends with its input; `enforcer exec` removes what it made.
        let _ = self.child.wait();
    }
}
