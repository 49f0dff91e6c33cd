use super::*;

fn author() -> Author {
    Author {
        uid: 0,
        user: None,
        login_uid: None,
        pid: None,
        command: None,
    }
}

fn put(isolations: &mut Isolations, workload: &str, seconds: u64, allow: &[&str]) -> u64 {
    let request = IsolateRequest {
        workload: workload.to_owned(),
        seconds,
        reason: "a test".to_owned(),
        allow: allow.iter().map(|&it| it.to_owned()).collect(),
    };
    let noted = isolations.noted(workload.to_owned(), &request, author());
    let noted = noted.expect("sound");
    let until = noted.until_boottime_ns;
    isolations.put(noted).expect("written");
    until
}

#[test]
fn those_above_count_too() {
    let state = tempfile::tempdir().expect("a directory");
    let mut isolations = Isolations::open(state.path()).expect("none yet");
    let outer = put(&mut isolations, "/llm", 200, &["10.0.0.1"]);
    put(&mut isolations, "/llm/a", 100, &["10.0.0.2:53/udp"]);
    put(&mut isolations, "/llm/b", 100, &[]);
    let until = |path| isolations.covering(path).map(|it| it.until_ns);
    let exceptions = |path| {
        let covering = isolations.covering(path).expect("covered");
        covering.exceptions.map(|names| names.len())
    };
    assert_eq!(until("/llm/a/deep"), Some(outer));
    assert_eq!(until("/llmx"), None);
    assert_eq!(exceptions("/llm/c"), Some(1));
    assert_eq!(exceptions("/llm/a"), Some(2));
    assert_eq!(exceptions("/llm/b"), None);
    assert_eq!(isolations.policies().len(), 2);
}

#[test]
fn they_outlive_a_restart_and_a_boot() {
    let state = tempfile::tempdir().expect("a directory");
    let mut isolations = Isolations::open(state.path()).expect("none yet");
    let until = put(&mut isolations, "/llm", 1000, &[]);
    let again = Isolations::open(state.path()).expect("one");
    assert_eq!(again.all(), isolations.all());
    let file = state.path().join("isolations.json");
    let text = fs::read_to_string(&file).expect("a file");
    fs::write(&file, text.replace(&isolations.boot, "another boot")).expect("written");
    let booted = Isolations::open(state.path()).expect("one");
    let moved = booted.all()[0].until_boottime_ns.abs_diff(until);
    assert!(moved < 2_000_000_000, "{moved}");
    assert_eq!(booted.all()[0].boot, isolations.boot);
}

#[test]
fn what_is_over_goes_once() {
    let state = tempfile::tempdir().expect("a directory");
    let mut isolations = Isolations::open(state.path()).expect("none yet");
    let until = put(&mut isolations, "/llm", 10, &[]);
    assert_eq!(isolations.expire(until - 1).expect("nothing").len(), 0);
    assert_eq!(isolations.expire(until).expect("one").len(), 1);
    assert_eq!(isolations.expire(until).expect("nothing").len(), 0);
    assert!(isolations.remove("/llm").is_err());
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let state = tempfile::tempdir().expect("a directory");
    let isolations = Isolations::open(state.path()).expect("none yet");
    let sound = IsolateRequest {
        workload: "/llm".to_owned(),
        seconds: 60,
        reason: "a test".to_owned(),
        allow: Vec::new(),
    };
    let refused = |request: IsolateRequest| {
        let noted = isolations.noted("/llm".to_owned(), &request, author());
        noted.expect_err("it cannot be meant").to_string()
    };
    let seconds = |seconds| IsolateRequest {
        seconds,
        ..sound.clone()
    };
    assert!(refused(seconds(0)).contains("at least"));
    assert!(refused(seconds(u64::MAX)).contains("366 days"));
    let reason = IsolateRequest {
        reason: " ".to_owned(),
        ..sound.clone()
    };
    assert!(refused(reason).contains("--reason"));
    let allow = IsolateRequest {
        allow: vec!["example.org".to_owned()],
        ..sound
    };
    assert!(refused(allow).contains("example.org"));
}
