//! `offline`: once set up, the product works without a network. The README's Python and the demo run with
//! the network cut off.
//!
//! Invariant: nothing is run before it was seen, with a listener on this machine, that a connection is
//! made without the cut and is not made with it. So the check can't pass because the cut failed.

use std::net::TcpListener;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{demo, process, readme, setup};

/// Tries to connect to a port of this machine, in Python, and says how that went.
const PROBE: &str = "
import socket, sys
try:
    socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=10).close()
except OSError as error:
    print('refused:', error)
else:
    print('connected')
";

/// How a program is kept from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// It is not.
    Open,
    /// A network namespace of its own, whose only device is a loopback that is down.
    Namespace,
    /// The same, within a user namespace: for users who may not make the other.
    UserNamespace,
    /// Python's own refusal to use a socket, which native code does not ask.
    AuditHook,
}

impl Cut {
    /// What this is, for whoever reads the output.
    fn describe(self) -> &'static str {
        match self {
            Self::Open => "nothing",
            Self::Namespace => "a network namespace",
            Self::UserNamespace => "a network namespace within a user namespace",
            Self::AuditHook => "an audit hook of Python, which does not see native code",
        }
    }

    /// The Python of the virtual environment, behind the cut.
    fn python(self, workspace: &Workspace) -> Command {
        let python = workspace.venv_bin("python");
        let python = python.strip_prefix(workspace.root()).unwrap_or(&python);
        let mut command = match self {
            Self::Open | Self::AuditHook => return self.own_python(workspace),
            Self::Namespace | Self::UserNamespace => process::command(workspace, "unshare"),
        };
        if self == Self::UserNamespace {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--net", "--"]).arg(python);
        command
    }

    fn own_python(self, workspace: &Workspace) -> Command {
        let mut command = process::python(workspace);
        if self == Self::AuditHook {
            command.env("PYTHONPATH", workspace.path("xtask/scripts/offline"));
        }
        command
    }

    /// Whether a connection to a listener of this machine is made from behind it.
    fn lets_through(self, workspace: &Workspace) -> Result<bool> {
        let listener = TcpListener::bind("127.0.0.1:0").context("listening on this machine")?;
        let port = listener.local_addr().context("asking for the listener's port")?.port();
        let mut probe = self.python(workspace);
        let printed = process::output(probe.args(["-P", "-c", PROBE]).arg(port.to_string()))?;
        match printed.trim() {
            "connected" => Ok(true),
            refused if refused.starts_with("refused:") => Ok(false),
            other => bail!("the probe of the network printed {other:?}"),
        }
    }
}

/// Runs the README's Python and the demo without a network.
///
/// # Errors
///
/// When the set-up or one of the two fails, or when nothing that cuts the network off was found.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    setup::run(workspace)?;
    if !Cut::Open.lets_through(workspace)? {
        bail!("no connection to this machine itself can be made, so none would show the cut");
    }
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    let cut = choose(is_ci, |cut| cut.lets_through(workspace))?;
    println!("offline: cut off by {}; a connection was tried and refused", cut.describe());
    process::run(cut.python(workspace).args(readme::ARGUMENTS))?;
    process::run(cut.python(workspace).args(demo::ARGUMENTS).arg(workspace.slice()))
}

/// The first cut that lets nothing through; the audit hook only where no one else relies on it.
fn choose(is_ci: bool, lets_through: impl Fn(Cut) -> Result<bool>) -> Result<Cut> {
    let mut reasons = Vec::new();
    for cut in [Cut::Namespace, Cut::UserNamespace, Cut::AuditHook] {
        if cut == Cut::AuditHook && is_ci {
            bail!(
                "the network can't be cut off here, and with CI=true nothing less will do: allow \
                 `unshare --net`, or user namespaces ({})",
                reasons.join("; ")
            );
        }
        match lets_through(cut) {
            Ok(false) => return Ok(cut),
            Ok(true) => reasons.push(format!("{} let a connection through", cut.describe())),
            Err(error) => {
                let error = format!("{error:#}");
                reasons.push(error.lines().last().unwrap_or_default().to_owned());
            }
        }
    }
    bail!("the network can't be cut off here ({})", reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_first_cut_that_lets_nothing_through_is_taken() {
        let chosen = choose(true, |cut| match cut {
            Cut::Namespace => Err(anyhow!("not permitted")),
            _ => Ok(false),
        });
        assert_eq!(chosen.expect("a cut"), Cut::UserNamespace);
    }

    #[test]
    fn python_s_own_refusal_is_for_machines_other_than_the_ci() {
        let leaky = |cut| if cut == Cut::AuditHook { Ok(false) } else { Ok(true) };
        assert_eq!(choose(false, leaky).expect("a cut"), Cut::AuditHook);
        let error = choose(true, leaky).expect_err("it would not be cut off").to_string();
        assert!(error.contains("CI=true") && error.contains("let a connection through"), "{error}");
    }

    #[test]
    fn without_any_cut_it_fails_and_says_why() {
        let error = choose(false, |_| Err(anyhow!("first\nno unshare"))).expect_err("no cut");
        assert!(error.to_string().contains("(no unshare; no unshare; no unshare)"), "{error}");
    }
}
