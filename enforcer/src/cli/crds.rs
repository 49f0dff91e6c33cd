//! `enforcer crds`.

use std::io::{self, Write as _};

use crate::policy::crd::{self, ResourceKind};

/// `enforcer crds`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  enforcer crds | kubectl apply --server-side -f -")]
pub(super) struct CrdsArgs {}

pub(super) fn run(_args: &CrdsArgs) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for kind in ResourceKind::ALL {
        write!(out, "---\n{}", crd::yaml(&crd::definition(kind)?))?;
    }
    Ok(())
}
