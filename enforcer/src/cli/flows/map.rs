//! Recorded flows as a picture: workloads, countries, providers.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use anyhow::{Context as _, bail};

use crate::control::FlowRecord;

/// Width of the picture and of a box, and the room between boxes, in pixels.
const WIDTH: f64 = 1200.0;
const BOX: f64 = 14.0;
const GAP: f64 = 12.0;
/// Height that all traffic has together.
const HEIGHT: f64 = 640.0;
/// Room above and below.
const MARGIN: f64 = 56.0;
/// A box is at least this high, so that its name can be read.
const LEAST: f64 = 14.0;
/// Boxes of a column; what is less frequent is drawn together.
const MOST: usize = 24;

/// Writes the map; the name of the file says how: `.svg` or `.html`.
///
/// # Errors
/// The name ends otherwise, or the file cannot be written.
pub(super) fn write(path: &Path, flows: &[FlowRecord]) -> anyhow::Result<()> {
    let svg = svg(flows)?;
    let text = match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => svg,
        Some("html") => format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <title>Data flows</title>\n{svg}</html>\n"
        ),
        _ => bail!("{}: name a file that ends in .svg or .html", path.display()),
    };
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// A column of boxes, the largest first.
struct Column {
    x: f64,
    boxes: BTreeMap<String, Place>,
}

/// Where a box is, and how much of its height is in use on either side.
#[derive(Clone, Copy)]
struct Place {
    y: f64,
    height: f64,
    left: f64,
    right: f64,
}

/// What a flow is in the picture.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    stops: [String; 3],
    refused: bool,
}

/// The picture.
///
/// # Errors
/// None: text only grows.
pub fn svg(flows: &[FlowRecord]) -> Result<String, fmt::Error> {
    let mut ways: BTreeMap<Way, f64> = BTreeMap::new();
    let kept: Vec<_> = (0..3).map(|stop| frequent(flows, stop)).collect();
    for flow in flows {
        let mut stops = stops(flow);
        for (stop, kept) in stops.iter_mut().zip(&kept) {
            if !kept.contains(stop) {
                "(others)".clone_into(stop);
            }
        }
        let refused = flow.verdict != "allow";
        *ways.entry(Way { stops, refused }).or_default() += weight(flow);
    }
    let total: f64 = ways.values().sum();
    let scale = if total > 0.0 { HEIGHT / total } else { 1.0 };
    let mut columns: Vec<Column> = (0..3).map(|stop| column(&ways, stop, scale)).collect();
    let bottom = columns
        .iter()
        .flat_map(|column| column.boxes.values())
        .map(|place| place.y + place.height)
        .fold(MARGIN, f64::max);
    let height = bottom + MARGIN;
    let mut out = String::new();
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Data flows: workload, country, provider</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height:.0}\" fill=\"white\"/>"
    )?;
    for (way, weight) in &ways {
        for step in 0..2 {
            let high = weight * scale;
            let (before, after) = columns.split_at_mut(step + 1);
            let (Some(from), Some(to)) = (before.last_mut(), after.first_mut()) else {
                continue;
            };
            ribbon(&mut out, from, to, way, step, high)?;
        }
    }
    for (column, title) in columns.iter().zip(["Workload", "Country", "Provider"]) {
        boxes(&mut out, column, title)?;
    }
    writeln!(
        out,
        "<text x=\"{MARGIN}\" y=\"{:.0}\" fill=\"#2c7a4b\">allowed</text>\
         <text x=\"{:.0}\" y=\"{:.0}\" fill=\"#b3261e\">refused, or would be</text>\n</svg>",
        height - 16.0,
        MARGIN + 60.0,
        height - 16.0
    )?;
    Ok(out)
}

/// Frequency on a logarithmic scale: a busy flow must not hide a single one.
fn weight(flow: &FlowRecord) -> f64 {
    1.0 + (flow.count.max(1) as f64).ln()
}

fn stops(flow: &FlowRecord) -> [String; 3] {
    let workload = flow.workload.as_ref().or(flow.cgroup.as_ref());
    let country = flow.range.as_ref().or(flow.country.as_ref());
    let provider = match (&flow.as_name, flow.asn) {
        (Some(name), _) => name.clone(),
        (None, Some(asn)) => format!("AS{asn}"),
        (None, None) => flow.destination.to_string(),
    };
    let text = |text: Option<&String>| text.map_or("?", String::as_str).to_owned();
    [text(workload), text(country), provider]
}

/// The most frequent names of a stop.
fn frequent(flows: &[FlowRecord], stop: usize) -> Vec<String> {
    let mut weights: BTreeMap<String, f64> = BTreeMap::new();
    for flow in flows {
        let [workload, country, provider] = stops(flow);
        let name = match stop {
            0 => workload,
            1 => country,
            _ => provider,
        };
        *weights.entry(name).or_default() += weight(flow);
    }
    let mut names: Vec<_> = weights.into_iter().collect();
    names.sort_by(|a, b| b.1.total_cmp(&a.1));
    names.truncate(MOST);
    names.into_iter().map(|(name, _)| name).collect()
}

fn column(ways: &BTreeMap<Way, f64>, stop: usize, scale: f64) -> Column {
    let mut weights: BTreeMap<&str, f64> = BTreeMap::new();
    for (way, weight) in ways {
        let name = way.stops.get(stop).map_or("?", String::as_str);
        *weights.entry(name).or_default() += weight;
    }
    let mut names: Vec<_> = weights.into_iter().collect();
    names.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut y = MARGIN;
    let mut boxes = BTreeMap::new();
    for (name, weight) in names {
        let height = (weight * scale).max(LEAST);
        let (left, right) = (0.0, 0.0);
        boxes.insert(
            name.to_owned(),
            Place {
                y,
                height,
                left,
                right,
            },
        );
        y += height + GAP;
    }
    let step = (WIDTH - 2.0 * MARGIN - 260.0) / 2.0;
    Column {
        x: MARGIN + step * stop as f64,
        boxes,
    }
}

/// A band between two boxes, below those drawn before.
fn ribbon(
    out: &mut String,
    from: &mut Column,
    to: &mut Column,
    way: &Way,
    step: usize,
    high: f64,
) -> fmt::Result {
    let (Some(start), Some(end)) = (way.stops.get(step), way.stops.get(step + 1)) else {
        return Ok(());
    };
    let (Some(source), Some(sink)) = (from.boxes.get_mut(start), to.boxes.get_mut(end)) else {
        return Ok(());
    };
    let (x0, x1) = (from.x + BOX, to.x);
    let (y0, y1) = (source.y + source.right, sink.y + sink.left);
    source.right += high;
    sink.left += high;
    let middle = f64::midpoint(x0, x1);
    let paint = if way.refused { "#d9534f" } else { "#5aa878" };
    let (y2, y3) = (y1 + high, y0 + high);
    writeln!(
        out,
        "<path d=\"M{x0:.1} {y0:.1} C{middle:.1} {y0:.1} {middle:.1} {y1:.1} {x1:.1} {y1:.1} \
         L{x1:.1} {y2:.1} C{middle:.1} {y2:.1} {middle:.1} {y3:.1} {x0:.1} {y3:.1}Z\" \
         fill=\"{paint}\" fill-opacity=\"0.45\"><title>{} to {}{}</title></path>",
        escaped(start),
        escaped(end),
        if way.refused { ", refused" } else { "" },
    )
}

fn boxes(out: &mut String, column: &Column, title: &str) -> fmt::Result {
    let x = column.x;
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" font-weight=\"bold\">{title}</text>",
        MARGIN - 16.0
    )?;
    for (name, Place { y, height, .. }) in &column.boxes {
        let (text_x, text_y) = (x + BOX + 6.0, y + height / 2.0 + 4.0);
        writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{BOX}\" height=\"{height:.1}\" \
             fill=\"#37474f\"/><text x=\"{text_x:.1}\" y=\"{text_y:.1}\">{}</text>",
            escaped(name)
        )?;
    }
    Ok(())
}

/// Names come from cgroups and databases: they are text, never markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '&' => safe += "&amp;",
            '"' => safe += "&quot;",
            control if control.is_control() => safe.push('\u{fffd}'),
            plain => safe.push(plain),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn flow(workload: &str, country: &str, verdict: &str, count: u64) -> FlowRecord {
        FlowRecord {
            workload: Some(workload.to_owned()),
            cgroup: None,
            destination: [192, 0, 2, 1].into(),
            port: Some(443),
            protocol: "tcp".to_owned(),
            name: None,
            country: Some(country.to_owned()),
            asn: Some(64_500),
            as_name: Some("Example & <Sons>".to_owned()),
            anycast: false,
            range: None,
            verdict: verdict.to_owned(),
            reason: None,
            policy: None,
            rule: None,
            file: None,
            line: None,
            count,
            bytes: 0,
            first_seen: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn every_way_is_drawn_and_no_name_is_markup() {
        let flows = [
            flow("/llm", "DE", "allow", 1_000_000),
            flow("/llm", "US", "deny", 1),
            flow("/crm", "US", "would_deny", 3),
        ];
        let svg = svg(&flows).expect("text");
        assert_eq!(svg.matches("<path").count(), 6);
        assert_eq!(svg.matches(", refused").count(), 4);
        assert!(svg.contains("Example &amp; &lt;Sons&gt;") && !svg.contains("<Sons"));
        for name in ["/llm", "/crm", "DE", "US"] {
            assert!(svg.contains(&format!(">{name}</text>")), "{name}");
        }
    }

    #[test]
    fn the_rare_are_drawn_together() {
        let flows: Vec<_> = (0..100)
            .map(|number| flow(&format!("/w{number}"), "DE", "allow", 1))
            .collect();
        let svg = svg(&flows).expect("text");
        assert!(svg.contains(">(others)</text>"));
        assert!(svg.matches("<rect").count() <= MOST + 5);
    }

    #[test]
    fn the_name_of_the_file_says_how() {
        let directory = tempfile::tempdir().expect("a directory");
        let flows = [flow("/llm", "DE", "allow", 1)];
        for (name, starts) in [("a.svg", "<svg"), ("a.html", "<!doctype html>")] {
            let path = directory.path().join(name);
            write(&path, &flows).expect(name);
            assert!(fs::read_to_string(path).expect(name).starts_with(starts));
        }
        assert!(write(&directory.path().join("a.png"), &flows).is_err());
    }
}
