//! What callers of the local API are answered.

use super::Daemon;
use crate::{
    control::{
        Detached, Problem, Reloaded,
        server::{IsolationCall, PolicyCall, Request},
    },
    daemon::{explain::of_workload, status},
    events::DaemonEvent,
};

/// What the daemon does once it has answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    GoOn,
    End,
}

impl Daemon {
    /// Answers a caller.
    pub(super) fn answer(&mut self, request: Request) -> Afterwards {
        // A caller that hung up does not want its answer.
        match request {
            Request::Status(reply) => {
                let mut status = status::of_daemon(&mut self.node, &self.reporter, &self.instance);
                let cluster = self.cluster.as_ref();
                status.cluster = cluster.map(|it| it.status(self.node.cluster()));
                drop(reply.send(status));
            }
            Request::Flows(reply) => {
                // What passed since the last sweep belongs to the answer.
                if let Err(error) = self.reporter.sweep(self.node.enforcement()) {
                    eprintln!("enforcer: recorded flows: {error}");
                }
                if let Some(flows) = self.reporter.flows() {
                    drop(reply.send(flows.list()));
                }
            }
            Request::Watch(reply) => drop(reply.send(self.reporter.watch())),
            Request::Reload(reply) => {
                self.reload();
                drop(reply.send(Reloaded {
                    generation: self.node.generation(),
                    error: self.node.last_error().map(str::to_owned),
                }));
            }
            Request::Explain(request, reply) => {
                let answer = of_workload(&self.node, &request);
                drop(reply.send(answer.map_err(problem)));
            }
            Request::Policies(call) => {
                self.answer_policies(call);
                self.follow_refused();
            }
            Request::Isolation(call) => self.answer_isolation(call),
            Request::Detach(reply) => {
                let answer = self.detach();
                let afterwards = if answer.is_ok() {
                    Afterwards::End
                } else {
                    Afterwards::GoOn
                };
                drop(reply.send(answer.map_err(problem)));
                return afterwards;
            }
        }
        Afterwards::GoOn
    }

    fn answer_policies(&mut self, call: PolicyCall) {
        let Self { node, reporter, .. } = self;
        match call {
            PolicyCall::List(reply) => drop(reply.send(Ok(node.list()))),
            PolicyCall::Show(name, reply) => {
                drop(reply.send(node.show(&name).map_err(problem)));
            }
            PolicyCall::History(reply) => drop(reply.send(node.history().map_err(problem))),
            PolicyCall::Push(request, author, reply) => {
                let dry_run = request.dry_run;
                let answer = node.push(request, author, reporter);
                if let (Err(problem), false) = (&answer, dry_run) {
                    reporter.tell(node.rejected(problem));
                }
                self.cover_devices();
                drop(reply.send(answer));
            }
            PolicyCall::Rollback(request, author, reply) => {
                let answer = node.roll_back(&request, author, reporter);
                if let Err(problem) = &answer {
                    reporter.tell(node.rejected(problem));
                }
                self.cover_devices();
                drop(reply.send(answer));
            }
        }
    }

    fn answer_isolation(&mut self, call: IsolationCall) {
        let Self { node, reporter, .. } = self;
        match call {
            IsolationCall::Isolate(request, author, reply) => {
                let answer = node.isolate(&request, author, reporter);
                self.cover_devices();
                drop(reply.send(answer.map_err(problem)));
            }
            IsolationCall::Release(request, author, reply) => {
                let answer = node.release(&request, &author, reporter);
                self.cover_devices();
                drop(reply.send(answer.map_err(problem)));
            }
        }
    }

    /// Ends enforcement. Where that fails halfway, the daemon stays, so that it can be asked again.
    fn detach(&mut self) -> anyhow::Result<Detached> {
        self.reporter.sweep(self.node.enforcement())?;
        // Nothing is attached behind what is removed.
        if let Err(error) = self.node.finish_survey() {
            eprintln!("enforcer: look at the interfaces: {error:#}");
        }
        self.node.enforcement().dir().remove()?;
        self.reporter.save_flows();
        self.reporter.tell(DaemonEvent::Detached);
        Ok(Detached {
            instance: self.instance.clone(),
        })
    }
}

fn problem(error: anyhow::Error) -> Problem {
    Problem::new(format!("{error:#}"))
}
