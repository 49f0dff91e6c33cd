//! Policies that are pushed, and those that were.

use std::{fs, sync::Arc};

use anyhow::Context as _;

use super::{Node, effects, sources::open_geo};
use crate::{
    control::{
        Author, Change, DocumentChange, PolicyEntry, PolicyText, Problem, PushRequest, Pushed,
        Revision, RollbackRequest,
    },
    daemon::{reporter::Reporter, status::mode_name},
    geo::GeoSet,
    policy::{
        self, Bundle, BundleFile, Color, Contents, Diagnostic, Diagnostics, Document, DocumentId,
        Documents, Policy,
    },
};

/// Files that are to be in force, and how.
struct Wish {
    bundle: Bundle,
    restores: Option<u64>,
    dry_run: bool,
    color: Color,
}

impl Node {
    /// Puts pushed files into force, or says what that would change. When it returns, every workload
    /// is under the new image.
    ///
    /// # Errors
    /// Something is wrong with them, and nothing has changed. All of it is told.
    pub fn push(
        &mut self,
        request: PushRequest,
        author: Author,
        reporter: &mut Reporter,
    ) -> Result<Pushed, Problem> {
        let PushRequest {
            files,
            prune,
            dry_run,
            color,
        } = request;
        let file = |file: crate::control::PolicyFile| BundleFile {
            path: file.path,
            text: file.text,
        };
        let given = Bundle {
            files: files.into_iter().map(file).collect(),
        };
        let bundle = if prune {
            given
        } else {
            self.revisions.bundle().updated(&given)
        };
        let wish = Wish {
            bundle,
            restores: None,
            dry_run,
            color: color_of(color),
        };
        self.grant(wish, author, reporter)
    }

    /// Puts an earlier revision into force again, as a new one.
    ///
    /// # Errors
    /// There is none, or it does not load any more; nothing has changed.
    pub fn roll_back(
        &mut self,
        request: &RollbackRequest,
        author: Author,
        reporter: &mut Reporter,
    ) -> Result<Pushed, Problem> {
        let current = self.revisions.current();
        let before = current.map(|revision| revision.parent.unwrap_or(0));
        let Some(number) = request.revision.or(before) else {
            return Err(Problem::new("nothing was pushed yet: there is no revision"));
        };
        let bundle = match number {
            // Before the first one nothing was pushed.
            0 => Bundle::default(),
            number => self.revisions.get(number).map_err(problem)?.1,
        };
        let wish = Wish {
            bundle,
            restores: Some(number),
            dry_run: false,
            color: color_of(request.color),
        };
        self.grant(wish, author, reporter)
    }

    fn grant(
        &mut self,
        wish: Wish,
        author: Author,
        reporter: &mut Reporter,
    ) -> Result<Pushed, Problem> {
        let Wish {
            bundle,
            restores,
            dry_run,
            color,
        } = wish;
        let loaded = policy::load_with(&self.settings.policies, &self.cluster.beside(&bundle))
            .map_err(|findings| refusal(&findings, color))?;
        let geo = self.geo().map_err(problem)?;
        let contents = Contents::from(bundle);
        let documents = changes(self.revisions.documents(), &contents.documents);
        let prepared = self.prepare(loaded.policies, geo).map_err(problem)?;
        let mut pushed = Pushed {
            revision: None,
            generation: self.generation,
            documents,
            effects: None,
            warnings: rendered(&loaded.warnings, color),
        };
        if dry_run {
            pushed.effects = Some(effects::of(self, &prepared).map_err(problem)?);
            return Ok(pushed);
        }
        let unchanged = self.loaded.is_some()
            && self.last_error.is_none()
            && contents.bundle == *self.revisions.bundle();
        if !unchanged {
            let revision = self.revisions.write(&contents, author, restores);
            let revision = revision.map_err(problem)?;
            let assigned = match self.publish(prepared, Some(&mut *reporter)) {
                Ok(assigned) => assigned,
                Err(error) => {
                    self.revisions.take_back(&revision).map_err(problem)?;
                    return Err(problem(error));
                }
            };
            self.revisions
                .advance(revision, contents)
                .map_err(problem)?;
            self.last_error = None;
            self.place(assigned).map_err(problem)?;
            self.introduce(reporter.known());
            reporter.tell(self.reloaded());
        }
        pushed.revision = self.revision();
        pushed.generation = self.generation;
        Ok(pushed)
    }

    /// The databases in use, or those of the settings where none could be used yet.
    pub(super) fn geo(&self) -> anyhow::Result<Arc<GeoSet>> {
        match &self.loaded {
            Some(loaded) => Ok(Arc::clone(&loaded.geo)),
            None => Ok(Arc::new(open_geo(&self.settings)?)),
        }
    }

    /// Number of the revision in force.
    #[must_use]
    pub fn revision(&self) -> Option<u64> {
        self.revisions.current().map(|revision| revision.number)
    }

    /// What was pushed, the latest last.
    ///
    /// # Errors
    /// A revision cannot be read.
    pub fn history(&self) -> anyhow::Result<Vec<Revision>> {
        self.revisions.all()
    }

    /// The policies in force.
    #[must_use]
    pub fn list(&self) -> Vec<PolicyEntry> {
        let pushed = self.revisions.documents();
        let entry = |policy: &Policy| PolicyEntry {
            name: policy.name.to_string(),
            mode: mode_name(policy.mode).to_owned(),
            source: policy.at.to_string(),
            revision: self
                .revision()
                .filter(|_| pushed.contains_key(&DocumentId::of_policy((&*policy.name.0).into()))),
        };
        self.policies().iter().map(entry).collect()
    }

    /// The text of a policy in force.
    ///
    /// # Errors
    /// There is no such policy, or its file is not what it was when it was loaded.
    pub fn show(&self, name: &str) -> anyhow::Result<PolicyText> {
        let id = DocumentId::of_policy(name.into());
        let named = |policy: &&Policy| *policy.name.0 == *name;
        let policy = self.policies().iter().find(named).with_context(|| {
            format!("no policy `{name}` is in force: `enforcer policy list` names those that are")
        })?;
        let mut documents = self.cluster.beside(self.revisions.bundle()).documents();
        let document = match documents.remove(&id) {
            Some(document) => document,
            None => {
                let path = &policy.at.file;
                let text =
                    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
                let path = path.display().to_string();
                let file = Bundle {
                    files: vec![BundleFile { path, text }],
                };
                file.documents().remove(&id).with_context(|| {
                    format!(
                        "{} has changed: it has no policy `{name}`",
                        policy.at.file.display()
                    )
                })?
            }
        };
        let Document { file, line, text } = document;
        Ok(PolicyText {
            name: name.to_owned(),
            file,
            line,
            text,
        })
    }
}

fn changes(before: &Documents, after: &Documents) -> Vec<DocumentChange> {
    let change = |id: &DocumentId| match (before.get(id), after.get(id)) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        (Some(before), Some(after)) if before.text == after.text => Change::Unchanged,
        (Some(_), Some(_)) => Change::Changed,
    };
    let mut ids: Vec<&DocumentId> = before.keys().chain(after.keys()).collect();
    ids.sort_unstable();
    ids.dedup();
    let told = ids.into_iter().map(|id| DocumentChange {
        kind: id.kind.clone(),
        name: id.name.to_string(),
        change: change(id),
    });
    told.collect()
}

fn color_of(color: bool) -> Color {
    if color { Color::Always } else { Color::Never }
}

fn rendered(findings: &Diagnostics, color: Color) -> String {
    if findings.is_empty() {
        return String::new();
    }
    findings.render(color)
}

fn refusal(findings: &Diagnostics, color: Color) -> Problem {
    let of_machines = findings.iter().map(Diagnostic::finding);
    Problem {
        error: rendered(findings, color),
        // A finding is plain data: there is nothing in it that JSON cannot say.
        findings: of_machines
            .filter_map(|finding| serde_json::to_value(finding).ok())
            .collect(),
    }
}

fn problem(error: impl Into<anyhow::Error>) -> Problem {
    Problem::new(format!("{:#}", error.into()))
}
