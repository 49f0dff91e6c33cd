use std::time::Duration;

use super::{Kind, SinkSpec, SinkSpecError};
use crate::events::{encode::Format, record::Severity};

fn spec(text: &str) -> SinkSpec {
    text.parse().expect(text)
}

fn problem(text: &str) -> String {
    let error = text.parse::<SinkSpec>().expect_err(text);
    error.to_string()
}

#[test]
fn local_sinks() {
    for text in ["-", "stdout", "stdout?format=ocsf", "-?format=cef"] {
        assert_eq!(spec(text).kind, Kind::Stdout, "{text}");
    }
    assert_eq!(spec("stdout?workload=a:b").kind, Kind::Stdout);
    let sockets = [
        ("journald", "/run/systemd/journal/socket"),
        ("journald:/run/own/socket", "/run/own/socket"),
        ("journald?verdict=deny", "/run/systemd/journal/socket"),
    ];
    for (text, path) in sockets {
        let spec = spec(text);
        assert_eq!(spec.kind, Kind::Journald(path.into()), "{text}");
        assert_eq!(spec.format(), Format::Journal);
        assert!(spec.spool_bytes().is_some(), "{text}");
    }
    let files = [
        ("file:events", "events"),
        ("file:/var/log/a:b", "/var/log/a:b"),
        ("/var/log/a", "/var/log/a"),
        ("events.ndjson", "events.ndjson"),
        ("./a:b", "./a:b"),
        ("./a?b", "./a?b"),
        ("./stdout", "./stdout"),
        ("events", "events"),
        ("file:events?format=cef", "events"),
    ];
    for (text, path) in files {
        let spec = spec(text);
        assert!(
            matches!(&spec.kind, Kind::File(file, _) if file.to_str() == Some(path)),
            "{spec:?}"
        );
        assert_eq!((spec.name(), spec.spool_bytes()), (path, None));
    }
    let Kind::File(_, options) = spec("file:a?max-size=10MiB&max-age=2d&keep=3&sync=true").kind
    else {
        panic!("a file");
    };
    assert_eq!(options.most_bytes, Some(10 << 20));
    assert_eq!(options.most_age, Some(Duration::from_secs(172_800)));
    assert_eq!((options.keep, options.sync), (3, true));
}

#[test]
fn remote_sinks_have_a_spool_a_name_and_their_format() {
    let cases = [
        ("syslog+tls://siem:6514?ca=/etc/ca.pem", Format::Cef),
        ("syslog+tcp://[::1]:514", Format::Cef),
        ("syslog+udp://siem:514?format=ecs", Format::Ecs),
        ("syslog+unix:/dev/log", Format::Cef),
        (
            "splunk-hec+https://splunk:8088?token-file=/t&ack=true",
            Format::Ecs,
        ),
        ("otlp+http://collector:4318", Format::Otlp),
        ("otlp+grpc://[::1]:4317", Format::Otlp),
        ("otlp+grpcs://collector:4317?gzip=true", Format::Otlp),
        (
            "webhook+https://hook.example/x?format=ocsf&body=array",
            Format::Ocsf,
        ),
    ];
    for (text, format) in cases {
        let spec = spec(text);
        assert_eq!(spec.format(), format, "{text}");
        assert_eq!(spec.spool_bytes(), Some(256 << 20));
        assert!(text.starts_with(spec.name()) && !spec.name().contains('?'));
        assert!(!spec.slug().contains(['/', ':', '.']), "{}", spec.slug());
    }
    assert_eq!(spec("syslog+tcp://a:1?spool=0").spool_bytes(), None);
    assert_ne!(
        spec("syslog+tcp://a:1").slug(),
        spec("syslog+tcp://a-1:1").slug()
    );
}

#[test]
fn filters() {
    let spec = spec("-?verdict=deny,hold&policy=a&workload=llm%2F*&severity=high");
    let filter = spec.filter();
    assert_eq!(filter.verdicts, ["deny", "hold"]);
    assert_eq!(
        (&*filter.policies, &*filter.workloads),
        (&["a".into()][..], &["llm/*".into()][..])
    );
    assert_eq!(filter.severity, Some(Severity::High));
}

#[test]
fn what_cannot_be_meant_is_said() {
    assert_eq!("".parse::<SinkSpec>(), Err(SinkSpecError::Empty));
    assert_eq!("file:".parse::<SinkSpec>(), Err(SinkSpecError::NoPath));
    assert!(problem("kafka:topic").contains("`kafka:topic` is not known"));
    assert!(problem("syslog+tls://siem").contains("has no host and port"));
    assert!(problem("otlp+http://").contains("has no host"));
    assert!(problem("otlp+grpc://collector").contains("has no host and port"));
    let unknown = problem("syslog+tcp://a:1?colour=red");
    assert!(
        unknown.contains("has no option `colour`: it has timeout, facility, format"),
        "{unknown}"
    );
    let bad = problem("syslog+tcp://a:1?spool=lots");
    assert!(
        bad.contains("`spool` is `lots`: write a size such as `100MiB`"),
        "{bad}"
    );
    assert!(problem("-?format=xml").contains("write one of ecs, ocsf, cef"));
    assert!(problem("-?verdict=never").contains("would_deny"));
    assert!(problem("otlp+http://a?timeout=0s").contains("above 0"));
    assert!(problem("syslog+tls://a:1?cert=x").contains("both `cert` and `key`"));
}
