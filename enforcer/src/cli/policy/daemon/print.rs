//! Answers for people.

use crate::control::{Change, Effect, PolicyEntry, Pushed, Revision, Side};

/// Workloads, services and places of an effect that are named; the rest is counted.
const NAMED: usize = 6;

pub(super) fn print_pushed(pushed: &Pushed) {
    for document in &pushed.documents {
        let mark = match document.change {
            Change::Added => "added",
            Change::Changed => "changed",
            Change::Removed => "removed",
            Change::Unchanged => "unchanged",
        };
        println!("{mark:<10} {}/{}", document.kind, document.name);
    }
    if let Some(effects) = &pushed.effects {
        print_effects(effects);
    }
    if !pushed.warnings.is_empty() {
        eprintln!("{}", pushed.warnings);
    }
    match pushed.revision {
        Some(revision) => println!(
            "revision {revision} is in force as generation {}",
            pushed.generation
        ),
        None if pushed.effects.is_some() => println!("nothing was changed"),
        None => println!("generation {} stays in force", pushed.generation),
    }
}

fn print_effects(effects: &[Effect]) {
    if effects.is_empty() {
        println!("no flow of a workload would get another verdict");
        return;
    }
    println!(
        "verdicts that would change (every address, protocol and port was compared; rules on host \
         names as if no name were known):"
    );
    for effect in effects {
        println!();
        println!("  workloads    {}", shortened(&effect.workloads));
        println!("  protocols    {}", shortened(&effect.services));
        println!(
            "  to           {} IPv4 addresses, {} IPv6 networks (/64), such as {}",
            effect.addresses, effect.networks, effect.example
        );
        println!("  in           {}", shortened(&effect.places));
        println!("  now          {}", side(&effect.before));
        println!("  then         {}", side(&effect.after));
    }
    println!();
}

pub(super) fn print_entries(entries: &[PolicyEntry]) {
    println!("{:<32} {:<8} {:<9} SOURCE", "NAME", "MODE", "REVISION");
    for entry in entries {
        let revision = entry
            .revision
            .map_or_else(|| "-".to_owned(), |it| it.to_string());
        println!(
            "{:<32} {:<8} {revision:<9} {}",
            entry.name, entry.mode, entry.source
        );
    }
}

pub(super) fn print_history(revisions: &[Revision]) {
    println!("{:<9} {:<31} {:<12} WHO", "REVISION", "WHEN", "CONTENT");
    for revision in revisions {
        let restores = revision.restores.map_or_else(String::new, |it| match it {
            0 => ", back to nothing pushed".to_owned(),
            it => format!(", back to revision {it}"),
        });
        let content = revision.sha256.get(..12).unwrap_or(&revision.sha256);
        println!(
            "{:<9} {:<31} {content:<12} {}{restores}",
            revision.number, revision.at, revision.author
        );
    }
}

fn shortened(names: &[String]) -> String {
    let named = names.len().min(NAMED);
    let text = names[..named].join(", ");
    match names.len() - named {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

fn side(side: &Side) -> String {
    let would = if side.would_deny {
        " (audited: would deny)"
    } else {
        ""
    };
    let at = side
        .at
        .as_deref()
        .map(|at| format!(" at {at}"))
        .unwrap_or_default();
    format!("{}{would} by {}{at}", side.verdict, side.by)
}
