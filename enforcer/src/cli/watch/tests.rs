use ratatui::{Terminal, backend::TestBackend};

use super::*;

const DENIED: &str = r#"{"@timestamp":"2026-11-22T10:11:12.5Z","event":{"action":"connection-denied","reason":"rule"},
"network":{"transport":"tcp"},"destination":{"ip":"2600:1f14::1","port":443,
"geo":{"country_iso_code":"US"},"as":{"number":16509,"organization":{"name":"Example"}}},
"process":{"pid":7,"name":"curl"},"rule":{"name":"default","ruleset":"inside"},
"enforcer":{"verdict":"deny","workload":"/llm/worker","count":3}}"#;

fn filter(words: &[&str]) -> Filter {
    use clap::{Args as _, Command, FromArgMatches as _};
    let command = Filter::augment_args(Command::new("watch")).no_binary_name(true);
    let matches = command.try_get_matches_from(words).expect("options");
    Filter::from_arg_matches(&matches).expect("a filter")
}

#[test]
fn an_event_is_one_line() {
    let told = Told::read(DENIED.as_bytes()).expect("an event");
    assert_eq!(
        told.line(Color::Never),
        "10:11:12  deny        /llm/worker  curl(7)  -> [2600:1f14::1]:443/tcp  US  \
         AS16509 Example  inside/default  x3"
    );
    assert!(told.line(Color::Always).contains("\x1b[1;31mdeny"));
    assert_eq!(
        Told::read(b"{\"enforcer\":{\"missed\":9}}"),
        Some(Told::Missed(9))
    );
    assert_eq!(Told::read(b"nonsense"), None);
}

#[test]
fn filters_choose() {
    let denied = Told::read(DENIED.as_bytes()).expect("an event");
    let daemon = Told::Daemon {
        at: String::new(),
        action: "started".to_owned(),
    };
    for (words, of_denied, of_daemon) in [
        (&[][..], true, true),
        (&["--verdict", "deny"], true, false),
        (&["--verdict", "would_deny"], false, false),
        (&["--country", "us"], true, false),
        (&["--workload", "/llm"], true, false),
        (&["--workload", "/ll"], false, false),
    ] {
        let filter = filter(words);
        assert_eq!(filter.wants(&denied), of_denied, "{words:?}");
        assert_eq!(filter.wants(&daemon), of_daemon, "{words:?}");
        assert!(filter.wants(&Told::Missed(1)), "{words:?}");
    }
}

#[test]
fn the_board_adds_up_and_is_drawn() {
    let mut board = Board::default();
    for second in [10, 10, 12] {
        let told = Told::read(DENIED.as_bytes()).expect("an event");
        board.tell(told, second);
    }
    assert_eq!(board.history(), [6, 0, 3]);
    assert_eq!((board.total, board.countries.top(9)), (9, vec![("US", 9)]));
    board.tick(1000);
    assert_eq!(board.history().len(), 60);
    let mut terminal = Terminal::new(TestBackend::new(120, 30)).expect("a terminal");
    terminal
        .draw(|frame| draw(frame, &board, "default"))
        .expect("drawn");
    let screen = terminal.backend().to_string();
    for part in [
        "9 refused",
        "[2600:1f14::1]:443/tcp",
        "/llm/worker",
        "inside/default",
    ] {
        assert!(screen.contains(part), "{part}\n{screen}");
    }
}
