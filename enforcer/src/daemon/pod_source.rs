//! Asks the container runtime for pods, one question at a time.

use std::{path::Path, time::Duration};

use tokio::{sync::mpsc, time::sleep};

use crate::workloads::{
    PodInfo,
    cri::{CriError, Runtime},
    layout::PodUid,
};

/// What a runtime answers.
pub(super) type Listed = Result<Vec<(PodUid, PodInfo)>, CriError>;

/// A kubelet makes a pod's cgroup before its runtime knows of the pod: the next question follows
/// after this, and after twice as long each time that it told nothing new.
const SOON: Duration = Duration::from_millis(5);
const LATER: Duration = Duration::from_secs(1);

/// The runtime, and the question that is on its way.
pub(super) struct PodSource {
    runtime: Option<Runtime>,
    asking: bool,
    pause: Duration,
    answer: mpsc::Sender<Listed>,
    answers: mpsc::Receiver<Listed>,
    last_error: Option<String>,
}

impl PodSource {
    /// The runtime at `socket`, or at one of the usual places as soon as it is there.
    pub(super) fn new(socket: Option<&Path>) -> Self {
        let (answer, answers) = mpsc::channel(1);
        Self {
            runtime: socket.map(Runtime::at),
            asking: false,
            pause: Duration::ZERO,
            answer,
            answers,
            last_error: None,
        }
    }

    /// Asks, unless a question is on its way.
    pub(super) fn ask(&mut self) {
        if self.asking {
            return;
        }
        let Some(runtime) = self.runtime.clone().or_else(Runtime::find) else {
            return;
        };
        self.asking = true;
        let (answer, pause) = (self.answer.clone(), self.pause);
        tokio::spawn(async move {
            sleep(pause).await;
            // The daemon that does not listen any more ends with this task.
            let _ = answer.send(runtime.pods().await).await;
        });
    }

    /// Waits for an answer. An error is told once, and is nothing that was learnt.
    pub(super) async fn told(&mut self) -> Vec<(PodUid, PodInfo)> {
        loop {
            let Some(answer) = self.answers.recv().await else {
                std::future::pending::<()>().await;
                continue;
            };
            self.asking = false;
            match answer {
                Ok(pods) => {
                    self.last_error = None;
                    return pods;
                }
                Err(error) => {
                    let error = format!("{:#}", anyhow::Error::new(error));
                    if self.last_error.as_ref() != Some(&error) {
                        eprintln!("enforcer: {error}; what is known of pods stays");
                        self.last_error = Some(error);
                    }
                    self.wait_longer();
                    self.ask();
                }
            }
        }
    }

    /// The next question may follow at once.
    pub(super) fn hurry(&mut self) {
        self.pause = Duration::ZERO;
    }

    /// The next question waits twice as long as the last one.
    pub(super) fn wait_longer(&mut self) {
        self.pause = (self.pause * 2).clamp(SOON, LATER);
    }
}
