//! Draws the pictures of docs/flows.md into a directory: `screenshots DIRECTORY`.

use std::{env, fmt::Write as _, fs, path::PathBuf};

use anyhow::Context as _;
use enforcer::{
    cli::{
        flows::svg,
        watch::{Board, Told, Violation, draw},
    },
    control::FlowRecord,
};
use jiff::Timestamp;
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

/// Workload, address, country, number and name of the network, verdict, how often.
type Flow = (
    &'static str,
    [u8; 4],
    &'static str,
    u32,
    &'static str,
    &'static str,
    u64,
);

/// Who goes where.
const FLOWS: [Flow; 9] = [
    (
        "/llm/vllm",
        [192, 0, 2, 10],
        "DE",
        64_496,
        "Model Store GmbH",
        "allow",
        1200,
    ),
    (
        "/llm/vllm",
        [192, 0, 2, 20],
        "FR",
        64_497,
        "Telemetrie SA",
        "allow",
        300,
    ),
    (
        "/llm/vllm",
        [198, 51, 100, 7],
        "US",
        64_500,
        "Example AI Inc",
        "deny",
        41,
    ),
    (
        "/crm/sync",
        [192, 0, 2, 30],
        "IE",
        64_498,
        "CRM Europe Ltd",
        "allow",
        5400,
    ),
    (
        "/crm/sync",
        [198, 51, 100, 8],
        "US",
        64_501,
        "CRM Global Inc",
        "deny",
        17,
    ),
    (
        "/crm/sync",
        [198, 51, 100, 9],
        "SG",
        64_502,
        "Edge Cache Pte",
        "deny",
        3,
    ),
    (
        "/batch/report",
        [192, 0, 2, 10],
        "DE",
        64_496,
        "Model Store GmbH",
        "allow",
        60,
    ),
    (
        "/batch/report",
        [203, 0, 113, 5],
        "BR",
        64_503,
        "Backup Ltda",
        "would_deny",
        9,
    ),
    (
        "/batch/report",
        [192, 0, 2, 20],
        "FR",
        64_497,
        "Telemetrie SA",
        "allow",
        12,
    ),
];

fn main() -> anyhow::Result<()> {
    let directory = env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.context("name a directory")?;
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("flows.svg"), svg(&flows())?)?;
    fs::write(directory.join("watch.svg"), watch()?)?;
    Ok(())
}

fn flows() -> Vec<FlowRecord> {
    let flow = |(workload, address, country, asn, name, verdict, count): Flow| FlowRecord {
        workload: Some(workload.to_owned()),
        cgroup: Some(workload.to_owned()),
        destination: address.into(),
        port: Some(443),
        protocol: "tcp".to_owned(),
        name: None,
        country: Some(country.to_owned()),
        asn: Some(asn),
        as_name: Some(name.to_owned()),
        anycast: false,
        range: None,
        verdict: verdict.to_owned(),
        reason: Some("rule".to_owned()),
        policy: Some("inside".to_owned()),
        rule: Some("default".to_owned()),
        file: None,
        line: None,
        count,
        bytes: 0,
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
    };
    FLOWS.map(flow).into()
}

fn watch() -> anyhow::Result<String> {
    let mut board = Board::default();
    for second in 0..60_u64 {
        let refused = flows().into_iter().filter(|flow| flow.verdict != "allow");
        for (index, flow) in refused.enumerate() {
            if !(second + index as u64).is_multiple_of(3 + index as u64) {
                continue;
            }
            let violation = Violation {
                at: format!("2026-11-22T10:00:{second:02}Z"),
                verdict: flow.verdict.clone(),
                workload: flow.workload.clone().unwrap_or_default(),
                process: "python3(4242)".to_owned(),
                host: flow.destination.to_string(),
                to: flow.to(),
                country: flow.country.clone().unwrap_or_default(),
                provider: flow.as_name.clone().unwrap_or_default(),
                because: "inside/default".to_owned(),
                count: 1 + second % 5,
            };
            board.tell(Told::Violation(violation), second);
        }
    }
    let mut terminal = Terminal::new(TestBackend::new(110, 30))?;
    terminal.draw(|frame| draw(frame, &board, "default"))?;
    picture(terminal.backend().buffer())
}

/// Size of a character in pixels.
const CELL: (u32, u32) = (9, 18);

/// A terminal's cells as a picture.
fn picture(buffer: &Buffer) -> anyhow::Result<String> {
    let (columns, rows) = (u32::from(buffer.area.width), u32::from(buffer.area.height));
    let (width, height) = (columns * CELL.0, rows * CELL.1);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"monospace\" font-size=\"15\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#1e1e1e\"/>\n"
    );
    for (index, cell) in buffer.content().iter().enumerate() {
        let symbol = cell.symbol();
        if symbol.trim().is_empty() {
            continue;
        }
        let x = index as u32 % columns * CELL.0;
        let y = index as u32 / columns * CELL.1 + CELL.1 - 5;
        let (paint, weight) = style(cell);
        let symbol = symbol.replace('&', "&amp;").replace('<', "&lt;");
        writeln!(
            out,
            "<text x=\"{x}\" y=\"{y}\" fill=\"{paint}\"{weight}>{symbol}</text>"
        )?;
    }
    out += "</svg>\n";
    Ok(out)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the board has three colours, and the rest is plain"
)]
fn style(cell: &Cell) -> (&'static str, &'static str) {
    let paint = match cell.fg {
        Color::Red => "#e06c75",
        Color::Yellow => "#e5c07b",
        Color::Blue => "#61afef",
        _ if cell.modifier.contains(Modifier::DIM) => "#8a8a8a",
        _ => "#d4d4d4",
    };
    let bold = cell.modifier.contains(Modifier::BOLD);
    (paint, if bold { " font-weight=\"bold\"" } else { "" })
}
