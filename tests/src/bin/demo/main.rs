//! The demonstration: one process confined to the European Economic Area, in an internet of its own.
//!
//! It is a check, too: it fails unless what must pass passes, what must not is refused, nothing
//! reaches a refused address, each refusal is an event, and nothing is left behind.

mod attempts;
mod evidence;
mod instance;
mod page;
mod place;

use std::{process::ExitCode, time::Instant};

use anyhow::Context;
use enforcer_tests::lab::{self, Peer, Probe, Recorder, World};

use attempts::{Attempt, Verdict};
use instance::Instance;
use page::Page;
use place::{Place, Side};

/// Relative to the root of the repository, where every command is started.
const POLICY: &str = "policies/sovereign-llm.yaml";

fn main() -> ExitCode {
    match demonstrate() {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in findings {
                eprintln!("FAILED: {finding}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Tells the story; what went otherwise than told.
fn demonstrate() -> anyhow::Result<Vec<String>> {
    lab::require_root()?;
    let started = Instant::now();
    let page = Page::on_stdout();
    let instance = Instance::new("demo")?;

    page.heading("enforcer: one process, confined to the European Economic Area");
    page.text(
        "A stand-in internet runs in a network namespace of its own. Every address answers there,\n\
         and nothing leaves this machine. The addresses are real, and so is what the built-in\n\
         database says of them:\n",
    );
    let places = place::choose(&instance)?;
    for place in &places {
        page.row(&place.to_string());
    }
    let attempts = attempts::all(&places);

    let mut findings = reach(&page, &instance, &attempts)?;
    findings.extend(explain(&page, &instance, &places)?);

    page.heading("6. Everything is removed");
    let left = instance.traces()?;
    if left.is_empty() {
        page.text("No program, table, cgroup or namespace is left.");
    }
    findings.extend(left.iter().map(|it| format!("{} is left", it.display())));

    if findings.is_empty() {
        let inside = attempts.iter().filter(|it| it.place.side == Side::Inside);
        let inside = inside.count();
        page.success(&format!(
            "As it should be: {inside} attempts into the region answered, {} out of it refused. {:.1} s.",
            attempts.len() - inside,
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(findings)
}

/// Chapters 1 to 4: the same attempts without and with confinement.
fn reach(page: &Page, instance: &Instance, attempts: &[Attempt]) -> anyhow::Result<Vec<String>> {
    let world = World::new().context("cannot make the stand-in internet")?;
    let _peer = Peer::new(&world)?;
    let recorder = Recorder::new(&world)?;
    let mut findings = Vec::new();
    let words: Vec<String> = attempts.iter().map(Attempt::words).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();

    page.heading("1. Without enforcer, every address answers");
    for (attempt, outcome) in attempts.iter().zip(Probe::new(&world).run(&words)?) {
        let verdict = Verdict::of(&outcome, &recorder)?;
        page.attempt(attempt, &verdict);
        if verdict != Verdict::Answered {
            findings.push(format!("{attempt} without enforcer: {verdict}"));
        }
    }
    recorder.clear()?;

    page.heading(&format!("2. The policy: {POLICY}"));
    page.file(&instance.read(POLICY)?);

    page.heading("3. The same program, confined");
    page.command(&format!(
        "enforcer exec --policy {POLICY} --events denied.ndjson -- probe ..."
    ));
    let confined = instance.exec(&world, POLICY, &words)?;
    if confined.outcomes.len() != attempts.len() {
        findings.push(format!("enforcer exec said: {}", confined.stderr.trim()));
    }
    for (attempt, outcome) in attempts.iter().zip(&confined.outcomes) {
        let verdict = Verdict::of(outcome, &recorder)?;
        page.attempt(attempt, &verdict);
        if !attempt.is_right(&verdict) {
            findings.push(format!("{attempt} confined: {verdict}"));
        }
    }

    page.heading("4. Each refusal is an event for the SIEM");
    page.text(&format!(
        "{} events. The first, in part; docs/events.md has every field:\n",
        confined.events.len()
    ));
    if let Some(first) = confined.events.first() {
        page.object(&evidence::essence(first));
    }
    findings.extend(evidence::findings(attempts, &confined.events));
    Ok(findings)
}

/// Chapter 5: the command line gives the same answers, and the reasons.
fn explain(page: &Page, instance: &Instance, places: &[Place]) -> anyhow::Result<Vec<String>> {
    page.heading("5. Why? The same decision, asked on the command line");
    let mut findings = Vec::new();
    for place in places.iter().filter(|place| place.address.is_ipv4()) {
        let to = format!("{}:443/tcp", place.address);
        let arguments = ["explain", "--policy", POLICY, "--to", &to];
        page.command(&format!("enforcer {}", arguments.join(" ")));
        page.output(&instance.ask(&arguments)?);
        page.text("");
        let verdict = &instance.ask_json(&arguments)?["verdict"];
        if verdict != place.side.verdict() {
            findings.push(format!("explain says {verdict} of {to}"));
        }
    }
    Ok(findings)
}
