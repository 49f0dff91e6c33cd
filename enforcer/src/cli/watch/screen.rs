//! The terminal while it is watched.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
};

use super::{Board, Filter, Told, draw};
use crate::control::client::{CallError, follow};

/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(250);

/// Draws until the user leaves or the daemon ends.
pub(super) fn run(socket: &Path, filter: Filter, instance: &str) -> anyhow::Result<()> {
    let stream = Stream::open(socket.to_owned(), filter);
    let mut terminal = ratatui::init();
    let outcome = attend(&mut terminal, &stream, instance);
    ratatui::restore();
    outcome
}

fn attend(terminal: &mut DefaultTerminal, stream: &Stream, instance: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut board = Board::default();
    loop {
        let second = begun.elapsed().as_secs();
        if let ControlFlow::Break(end) = stream.take(&mut board, second) {
            return Ok(end?);
        }
        board.tick(second);
        terminal.draw(|frame| draw(frame, &board, instance))?;
        if !event::poll(FRAME)? {
            continue;
        }
        if let Event::Key(key) = event::read()? {
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            let leave = matches!(key.code, KeyCode::Char('q') | KeyCode::Esc);
            if leave || control && key.code == KeyCode::Char('c') {
                return Ok(());
            }
            if key.code == KeyCode::Char('c') {
                board = Board::default();
            }
        }
    }
}

/// Events from a thread of their own: the terminal is waited for here.
struct Stream(Receiver<Result<Told, CallError>>);

impl Stream {
    fn open(socket: PathBuf, filter: Filter) -> Self {
        let (tell, told) = mpsc::sync_channel(1024);
        thread::spawn(move || {
            let outcome = follow(&socket, "/v1/events", |line| {
                let told = Told::read(line).filter(|told| filter.wants(told));
                // Fails when the screen is gone.
                if told.is_some_and(|told| tell.send(Ok(told)).is_err()) {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            if let Err(error) = outcome {
                // The screen is gone already.
                let _ = tell.send(Err(error));
            }
        });
        Self(told)
    }

    /// What came since the last call. Breaks when the daemon ended or failed.
    fn take(&self, board: &mut Board, second: u64) -> ControlFlow<Result<(), CallError>> {
        loop {
            match self.0.try_recv() {
                Ok(Ok(told)) => board.tell(told, second),
                Ok(Err(error)) => return ControlFlow::Break(Err(error)),
                Err(TryRecvError::Empty) => return ControlFlow::Continue(()),
                Err(TryRecvError::Disconnected) => return ControlFlow::Break(Ok(())),
            }
        }
    }
}
