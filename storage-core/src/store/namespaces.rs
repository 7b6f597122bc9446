//! Namespaces: stores within the store, which share its files and see nothing of each other.
//!
//! An id names one concept in each. Invariant: an association has both its ends in one namespace.

use std::sync::Arc;

use super::commit::now;
use super::history::Forget;
use super::{GraphStore, Snapshot};
use crate::Result;
use crate::operation::{Operation, begin_payload};
use crate::options::Durability;
use crate::scope::{DEFAULT_NAMESPACE, validate_namespace};
use crate::state::{Seen, State, View};
use crate::sync::PublishedOption;

/// How a handle looks at the store.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) namespace: Arc<str>,
    /// What it last saw.
    seen: PublishedOption<Seen>,
}

impl Reader {
    pub(super) fn of(namespace: &str) -> Self {
        Self { namespace: Arc::from(namespace), seen: PublishedOption::empty() }
    }

    /// What it sees of the newest state, now.
    pub(super) fn see(&self, whole: &Arc<State>) -> Result<Arc<State>> {
        if !whole.is_scoped && *self.namespace == *DEFAULT_NAMESPACE {
            return Ok(Arc::clone(whole));
        }
        let before = self.seen.load_full();
        if let Some(state) = before.as_ref().and_then(|before| before.current(whole, now)) {
            return Ok(Arc::clone(state));
        }
        let seen = Arc::new(Seen::of(whole, self.view(now()), before.as_deref())?);
        let state = Arc::clone(seen.state());
        self.seen.store(Some(seen));
        Ok(state)
    }

    /// What it saw of a state of the past, when the time was `then`.
    pub(super) fn see_past(&self, whole: &Arc<State>, then: f64) -> Result<Arc<State>> {
        Ok(Arc::clone(Seen::of(whole, self.view(then), None)?.state()))
    }

    fn view(&self, now: f64) -> View {
        View { namespace: Arc::clone(&self.namespace), valid_at: None, now }
    }
}

impl GraphStore {
    /// A handle on a namespace of the store: its reads, searches and writes concern the concepts and
    /// associations in it alone, and its word statistics are theirs. It begins empty, and takes no room
    /// until something is put.
    ///
    /// The store's own handle is on the default namespace, which has no name. Each handle can be used from
    /// any thread; this one fails with [`crate::Error::Closed`] once the store's own is closed or dropped,
    /// and closing it closes nothing else. Durability, snapshots, retention and [`GraphStore::undo`] are the
    /// whole store's, and so is the vocabulary of association types.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] for a name that is empty or longer than
    /// [`crate::MAX_ID_BYTES`].
    pub fn namespace(&self, name: &str) -> Result<Self> {
        self.shared.check_usable()?;
        validate_namespace(name)?;
        let (shared, reader) = (Arc::clone(&self.shared), Reader::of(name));
        Ok(Self { shared, reader, is_owner: false })
    }

    /// The name of the namespace that this handle is on; empty for the default one.
    #[must_use]
    pub fn namespace_name(&self) -> &str {
        &self.reader.namespace
    }

    /// The names of the namespaces that have concepts, sorted; the default one is not among them.
    ///
    /// # Errors
    /// As [`GraphStore::snapshot`].
    pub fn namespaces(&self) -> Result<Vec<String>> {
        self.shared.newest_state()?.namespaces()
    }

    /// One state, as this handle sees it, and on the store's own handle as that of each namespace does.
    pub(super) fn snapshots_of_all(&self) -> Result<Vec<Snapshot>> {
        let whole = self.shared.newest_state()?;
        let mut snapshots = vec![Snapshot::new(self.reader.see(&whole)?)];
        if *self.reader.namespace == *DEFAULT_NAMESPACE {
            for name in whole.namespaces()? {
                snapshots.push(Snapshot::new(Reader::of(&name).see(&whole)?));
            }
        }
        Ok(snapshots)
    }

    /// Deletes all concepts of a namespace, with their associations, in one durable transaction; returns
    /// how many concepts that were.
    ///
    /// # Errors
    /// As [`GraphStore::namespace`]; as for all writes.
    pub fn delete_namespace(&self, name: &str) -> Result<u64> {
        self.shared.check_usable()?;
        validate_namespace(name)?;
        let mut count = 0;
        self.shared.commit_made(None, Durability::Sync, |state| {
            let numbers = state.numbers_in(name)?;
            count = numbers.len() as u64;
            let mut payload = begin_payload(now().max(state.commit_time + 1e-6));
            for number in numbers {
                Operation::DeleteConcept { number }.encode(&mut payload);
            }
            Ok((count > 0).then_some(payload))
        })?;
        Ok(count)
    }

    /// Deletes a namespace and rewrites the store's files, so that none of them holds anything of it, its
    /// name and its past included; see [`GraphStore::erase`]. Returns how many concepts were in it.
    ///
    /// # Errors
    /// As [`GraphStore::delete_namespace`] and [`GraphStore::erase`].
    pub fn erase_namespace(&self, name: &str) -> Result<u64> {
        let count = self.delete_namespace(name)?;
        self.shared.purge_now(Forget { namespace: name, id: None })?;
        Ok(count)
    }
}
