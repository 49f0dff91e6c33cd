//! liblognorm, which reads CEF for rsyslog.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use enforcer::events::encode::Format;
use serde_json::Value;

/// Where `cargo xtask setup` has unpacked the packages.
fn packages() -> PathBuf {
    let program = std::env::current_exe().expect("a file");
    let target = program
        .ancestors()
        .nth(3)
        .expect("target/PROFILE/deps/test");
    target.join("receivers")
}

/// Where Debian puts libraries for this machine.
fn libraries(packages: &Path) -> PathBuf {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    packages.join("usr/lib").join(triplet)
}

/// What liblognorm makes of each line.
fn read(lines: &[String]) -> Vec<Value> {
    let packages = packages();
    let program = packages.join("usr/bin/lognormalizer");
    assert!(
        program.exists(),
        "{} is missing: run `cargo xtask setup`",
        program.display()
    );
    let directory = tempfile::tempdir().expect("a directory");
    let rules = directory.path().join("rules");
    fs::write(&rules, "version=2\nrule=:%cef:cef%\n").expect("written");
    let mut process = Command::new(program)
        .env("LD_LIBRARY_PATH", libraries(&packages))
        .args(["-e", "json", "-r"])
        .arg(rules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = process.stdin.take().expect("piped");
    let text = lines.join("\n") + "\n";
    let writer = thread::spawn(move || input.write_all(text.as_bytes()));
    let output = process.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("it reads all");
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).expect("UTF-8");
    let values: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(values.len(), lines.len());
    values
}

/// Numbers and addresses of an extension, and where ECS has them.
const SAME: [(&str, &str); 9] = [
    ("externalId", "/event/sequence"),
    ("act", "/event/action"),
    ("dst", "/destination/ip"),
    ("dpt", "/destination/port"),
    ("src", "/source/ip"),
    ("spt", "/source/port"),
    ("spid", "/process/pid"),
    ("suid", "/process/user/id"),
    ("cn1", "/destination/as/number"),
];

#[test]
fn every_line_is_read_as_it_was_meant() {
    let read = read(&super::lines(Format::Cef));
    for (line, document) in read.iter().zip(super::objects(Format::Ecs)) {
        let cef = &line["cef"];
        let head = [
            "DeviceVendor",
            "DeviceProduct",
            "DeviceVersion",
            "SignatureID",
        ];
        let head = head.map(|name| cef[name].as_str().unwrap_or_default());
        let action = document["event"]["action"].as_str().expect("text");
        assert_eq!(head, ["enforcer", "enforcer", "0.1.0", action], "{line:#}");
        for (key, pointer) in SAME {
            let expected = document.pointer(pointer).map(|value| {
                let text = value.as_str().map(str::to_owned);
                text.unwrap_or_else(|| value.to_string())
            });
            let found = cef["Extensions"][key].as_str().map(str::to_owned);
            assert_eq!(found, expected, "{key} in {line:#}");
        }
    }
}

#[test]
fn the_parser_finds_faults() {
    let lines = super::lines(Format::Cef);
    let sound = lines[0].clone();
    let faults = [
        sound.replacen("CEF:0|", "CEF:1|", 1),
        sound.replacen("|enforcer|", "|", 2),
        sound.clone() + " msg=a=b",
        sound + "\\q",
    ];
    let read = read(&faults);
    let refused: Vec<bool> = read
        .iter()
        .map(|line| line.get("unparsed-data").is_some())
        .collect();
    assert_eq!(refused, [true; 4], "{read:#?}");
}
