//! What is said about policies that are pushed.

use serde::{Deserialize, Serialize};

/// A policy file, as its author named it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// The path that findings and provenance name. The daemon never opens it.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Policies to be put into force.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushRequest {
    /// The files.
    pub files: Vec<PolicyFile>,
    /// Pushed documents that are not among them go. Without it they stay.
    #[serde(default)]
    pub prune: bool,
    /// Say what would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Colour the text of findings for a terminal.
    #[serde(default)]
    pub color: bool,
}

/// To put an earlier revision into force again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// Which; without it, the one before the one in force.
    #[serde(default)]
    pub revision: Option<u64>,
    /// Colour the text of findings for a terminal.
    #[serde(default)]
    pub color: bool,
}

/// What a push did, or would do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pushed {
    /// The revision in force now; absent for a dry run.
    pub revision: Option<u64>,
    /// Number of the image in force now. The answer comes when every workload is under it.
    pub generation: u64,
    /// What became of each document.
    pub documents: Vec<DocumentChange>,
    /// Verdicts that change; only told of a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Vec<Effect>>,
    /// What loads, but probably does not mean what it says; text for people.
    pub warnings: String,
}

/// What becomes of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentChange {
    /// `EgressPolicy`, `Region`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub change: Change,
}

/// See [`DocumentChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is new.
    Added,
    /// Its text differs.
    Changed,
    /// It goes.
    Removed,
    /// It is the same.
    Unchanged,
}

/// Flows of some workloads that get another verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Whose flows: paths of cgroups.
    pub workloads: Vec<String>,
    /// Protocols and ports: `443/tcp`, `1-1023/udp`, `any`.
    pub services: Vec<String>,
    /// The verdict now.
    pub before: Side,
    /// The verdict then.
    pub after: Side,
    /// IPv4 addresses that it is about.
    pub addresses: u64,
    /// IPv6 networks of 64 bits that it is about, parts counted as whole ones.
    pub networks: u64,
    /// Where they are, the most addresses first: ISO 3166-1 codes, `ZZ`, or names of special-purpose
    /// ranges.
    pub places: Vec<String>,
    /// One of the addresses.
    pub example: String,
}

/// A verdict and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// `allow`, `deny` or `hold`.
    pub verdict: String,
    /// Allowed only because the policy audits.
    pub would_deny: bool,
    /// `POLICY/RULE`, or the reason where no rule decides.
    pub by: String,
    /// `FILE:LINE:COLUMN` of the rule.
    pub at: Option<String>,
}

/// Who asked for a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// User id of the peer, as the kernel gave it.
    pub uid: u32,
    /// Its name in `/etc/passwd`.
    pub user: Option<String>,
    /// User id that logged in, which `sudo` and `su` do not change (`/proc/PID/loginuid`).
    pub login_uid: Option<u32>,
    /// Process id of the peer.
    pub pid: Option<i32>,
    /// Name of its command.
    pub command: Option<String>,
}

impl std::fmt::Display for Author {
    /// As in events and listings: `anna (uid 1000)`, and who logged in where that is another.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let user = self.user.as_deref().unwrap_or("somebody");
        match self.login_uid {
            Some(login) if login != self.uid => {
                write!(f, "{user} (uid {}, logged in as uid {login})", self.uid)
            }
            _ => write!(f, "{user} (uid {})", self.uid),
        }
    }
}

/// A revision of what was pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its number, from 1 on.
    pub number: u64,
    /// The revision before it.
    pub parent: Option<u64>,
    /// The revision whose content it has again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub author: Author,
    /// SHA-256 of names and texts of its files, in hexadecimal.
    pub sha256: String,
    /// Names of its documents, with their kinds: `EgressPolicy/NAME`.
    pub documents: Vec<String>,
}

/// A policy in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyEntry {
    /// Its name.
    pub name: String,
    /// `enforce` or `audit`.
    pub mode: String,
    /// Where it stands.
    pub source: String,
    /// The revision in force, if it was pushed; absent when it is of a directory.
    pub revision: Option<u64>,
}

/// The text of a policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyText {
    /// Its name.
    pub name: String,
    /// The file it stands in.
    pub file: String,
    /// Its first line there, from 1.
    pub line: u32,
    /// Its text.
    pub text: String,
}
