//! Commits that are acknowledged later: a ticket tells when.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::commit::{Appended, Reads};
use super::write::Write;
use crate::{Error, Result};

/// A transaction that is committed, but perhaps not yet durable; see
/// [`crate::Transaction::commit_async`].
///
/// Dropping it changes nothing: the transaction becomes durable all the same.
#[derive(Debug, Clone)]
pub struct Ticket {
    shared: Arc<Shared>,
    appended: Appended,
}

impl Ticket {
    /// The transaction's number.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.appended.lsn
    }

    /// Whether the transaction is known to survive power loss.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.appended.group.as_ref().is_none_or(|group| group.synced_lsn() >= self.epoch())
    }

    /// Returns once the transaction survives power loss, and its number; one sync serves all that wait.
    ///
    /// Tickets may be waited for in any order, from any thread, more than once, and after the store was
    /// closed.
    ///
    /// # Errors
    /// [`Error::Poisoned`] when a sync has failed: then the transaction may or may not be there when the
    /// store is opened again. [`Error::Forked`]. It does not fail because the store was closed.
    pub fn wait(&self) -> Result<u64> {
        self.shared.check_process()?;
        self.shared.acknowledge_durable(&self.appended)?;
        Ok(self.epoch())
    }
}

impl Shared {
    /// Commits writes in a namespace; they are visible and in the log on return, and durable soon after.
    pub(super) fn commit_async(
        self: &Arc<Self>,
        namespace: &str,
        writes: Vec<Write>,
        reads: &Reads,
    ) -> Result<Ticket> {
        let appended = self.append_writes(namespace, writes, Some(reads))?;
        if appended.group.is_some() && self.maintenance.is_running() {
            self.maintenance.sync_within(Duration::ZERO);
        }
        self.maintenance.wait_for_room(self);
        Ok(Ticket { shared: Arc::clone(self), appended })
    }

    /// Refuses a process that the store was not opened in.
    pub(super) fn check_process(&self) -> Result<()> {
        if self.opened_by == std::process::id() {
            return Ok(());
        }
        Err(Error::Forked { opened_by: self.opened_by })
    }
}
