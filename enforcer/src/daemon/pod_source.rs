//! Asks the container runtime for pods, one question at a time.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use crate::{
    events::DaemonEvent,
    workloads::{
        PodInfo,
        cri::{CriError, Runtime},
        layout::PodUid,
    },
};

/// What a runtime answers.
pub(super) type Listed = Result<Vec<(PodUid, PodInfo)>, CriError>;

/// A kubelet makes a pod's cgroup before its runtime knows of the pod, and the pod is held meanwhile:
/// the next question follows after this, and after twice as long each time that nothing new was told.
const SOON: Duration = Duration::from_millis(5);
/// The longest pause while the runtime answers.
const LATER: Duration = Duration::from_millis(20);
/// The longest pause while it is down.
const DOWN: Duration = Duration::from_secs(1);

/// The runtime, and the question that is on its way.
pub(super) struct PodSource {
    configured: Option<Runtime>,
    /// Where none is configured: the one that answers at a usual place.
    found: Option<Runtime>,
    asking: bool,
    pause: Duration,
    hurried: Arc<Notify>,
    answer: mpsc::Sender<Listed>,
    answers: mpsc::Receiver<Listed>,
    answered: bool,
    failing: bool,
}

/// An answer, and what there is to tell of who gave it.
pub(super) struct Told {
    pub(super) pods: Vec<(PodUid, PodInfo)>,
    pub(super) news: Option<DaemonEvent>,
}

/// What events call it.
const NAME: &str = "container runtime";

impl PodSource {
    /// The runtime at `socket`, or at one of the usual places as soon as it is there.
    pub(super) fn new(socket: Option<&Path>) -> Self {
        let (answer, answers) = mpsc::channel(1);
        Self {
            configured: socket.map(Runtime::at),
            found: None,
            asking: false,
            pause: Duration::ZERO,
            hurried: Arc::new(Notify::new()),
            answer,
            answers,
            answered: false,
            failing: false,
        }
    }

    /// Asks, unless a question is on its way. A host may have no runtime at all; one that was
    /// there is expected.
    pub(super) fn ask(&mut self) {
        if self.asking {
            return;
        }
        if self.configured.is_none() && self.found.is_none() {
            self.found = Runtime::find();
        }
        let runtime = self.configured.as_ref().or(self.found.as_ref()).cloned();
        if runtime.is_none() && !self.answered {
            return;
        }
        self.asking = true;
        let (answer, pause) = (self.answer.clone(), self.pause);
        let hurried = Arc::clone(&self.hurried);
        tokio::spawn(async move {
            tokio::select! {
                () = sleep(pause) => {}
                () = hurried.notified() => {}
            }
            let listed = match runtime {
                Some(runtime) => runtime.pods().await,
                None => Err(CriError::Gone),
            };
            // The daemon that does not listen any more ends with this task.
            let _ = answer.send(listed).await;
        });
    }

    /// Waits for an answer, or for news. An error is nothing that was learnt: it is told once, and
    /// the next question follows by itself.
    pub(super) async fn told(&mut self) -> Result<Told, DaemonEvent> {
        loop {
            let Some(answer) = self.answers.recv().await else {
                std::future::pending::<()>().await;
                continue;
            };
            self.asking = false;
            match answer {
                Ok(pods) => {
                    self.answered = true;
                    let recovered = std::mem::take(&mut self.failing);
                    let news = recovered.then(|| DaemonEvent::SourceRecovered {
                        source: NAME.to_owned(),
                    });
                    return Ok(Told { pods, news });
                }
                Err(error) => {
                    self.found = None;
                    self.pause = (self.pause * 2).clamp(SOON, DOWN);
                    self.ask();
                    if !std::mem::replace(&mut self.failing, true) {
                        return Err(DaemonEvent::SourceFailing {
                            source: NAME.to_owned(),
                            error: format!("{:#}", anyhow::Error::new(error)),
                        });
                    }
                }
            }
        }
    }

    /// The next question follows at once, the one that is waiting too.
    pub(super) fn hurry(&mut self) {
        self.pause = Duration::ZERO;
        self.hurried.notify_one();
    }

    /// The next question waits twice as long as the last one.
    pub(super) fn wait_longer(&mut self) {
        self.pause = (self.pause * 2).clamp(SOON, LATER);
    }
}
