//! What a daemon does about the interfaces of its workloads.

use super::Daemon;
use crate::workloads::Extent;

impl Daemon {
    /// When this returns, what is judged by now is judged at its interfaces too.
    pub(super) fn cover_devices(&mut self) {
        let outcome = self.node.survey_now(Extent::All);
        self.tell_survey(outcome);
    }

    fn tell_survey(&mut self, outcome: anyhow::Result<()>) {
        if let Err(error) = outcome {
            eprintln!("enforcer: look at the interfaces: {error:#}");
        }
        self.tell_news();
    }

    /// Takes what was found there meanwhile.
    pub(super) fn take_survey(&mut self) {
        let outcome = self.node.take_survey();
        self.tell_survey(outcome);
    }

    /// What is due every second.
    pub(super) fn attend_interfaces(&mut self) {
        self.take_survey();
        self.node.trust_new_interfaces();
        if self.node.watches_gaps() {
            self.node.survey(Extent::All);
        }
    }
}
