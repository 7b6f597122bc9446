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
    /// What it last saw; the state that it saw is kept by the whole one, so that a handle which reads no
    /// more keeps none of what has been replaced since.
    seen: PublishedOption<Seen>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(seen) = self.seen.load_full() {
            seen.forget(self.key());
        }
    }
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
            return Ok(state);
        }
        let (seen, state) = Seen::of(whole, self.view(now()), before.as_deref())?;
        whole.keep_view(self.key(), &state);
        self.seen.store(Some(Arc::new(seen)));
        Ok(state)
    }

    /// What it saw of a state of the past, when the time was `then`.
    pub(super) fn see_past(&self, whole: &Arc<State>, then: f64) -> Result<Arc<State>> {
        Ok(Seen::of(whole, self.view(then), None)?.1)
    }

    /// What tells it from all other readers that there are.
    fn key(&self) -> usize {
        Arc::as_ptr(&self.namespace).cast::<u8>().addr()
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
    /// [`crate::MAX_ID_BYTES`]; [`crate::Error::Closed`]; [`crate::Error::Forked`].
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

    /// The names of the namespaces that have concepts, sorted; the default one is not among them, and none whose
    /// concepts have all expired.
    ///
    /// # Errors
    /// As for [all reads](GraphStore#errors).
    pub fn namespaces(&self) -> Result<Vec<String>> {
        self.shared.newest_state()?.namespaces(now())
    }

    /// One state, as this handle sees it, and on the store's own handle as that of each namespace does.
    pub(super) fn snapshots_of_all(&self) -> Result<Vec<Snapshot>> {
        let whole = self.shared.newest_state()?;
        let mut snapshots = vec![Snapshot::new(self.reader.see(&whole)?)];
        if *self.reader.namespace == *DEFAULT_NAMESPACE {
            for name in whole.namespaces(now())? {
                snapshots.push(Snapshot::new(Reader::of(&name).see(&whole)?));
            }
        }
        Ok(snapshots)
    }

    /// Deletes all concepts of a namespace, with their associations, in one durable transaction; returns
    /// how many concepts that were.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] for what can be no name; as for [all writes](GraphStore#errors).
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

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;
    use crate::options::{OpenOptions, StoreConfig};
    use crate::segment::Segment;
    use crate::{Concept, ConfigRequest};

    fn open(dir: &std::path::Path) -> GraphStore {
        let config = StoreConfig { vector_dimension: 2, ..StoreConfig::default() };
        let config = ConfigRequest::from(config);
        let options = OpenOptions { config, background: false, ..OpenOptions::default() };
        GraphStore::open(dir, options).unwrap()
    }

    fn segments(store: &GraphStore) -> Vec<Weak<Segment>> {
        let state = store.shared.state.load_full();
        state.parts.iter().map(|part| Arc::downgrade(&part.segment)).collect()
    }

    fn alive(segments: &[Weak<Segment>]) -> usize {
        segments.iter().filter(|segment| segment.strong_count() > 0).count()
    }

    #[test]
    fn a_handle_that_reads_no_more_keeps_no_segment_that_was_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let ann = store.namespace("ann").unwrap();
        for at in 0..3 {
            store.put_concept(Concept::new(format!("{at}"), "river")).unwrap();
            ann.put_concept(Concept::new(format!("{at}"), "river stone")).unwrap();
            store.flush().unwrap();
        }
        let before = segments(&store);
        let held = ann.snapshot().unwrap();
        assert_eq!(held.search_text("stone", 9).unwrap().len(), 3);
        assert!(!store.contains("none").unwrap());
        store.compact().unwrap();
        assert_eq!(alive(&before), 3, "a snapshot keeps what it reads");
        assert_eq!(held.search_text("stone", 9).unwrap().len(), 3);
        drop(held);
        assert_eq!(alive(&before), 0, "handles that are idle keep nothing");

        // The next view is made of the one before it, without its segments.
        ann.delete_concept("1").unwrap();
        assert_eq!(ann.search_text("stone", 9).unwrap().len(), 2);
        assert_eq!(ann.snapshot().unwrap().concept_count(), 2);
    }

    #[test]
    fn a_state_is_seen_once_by_a_reader_until_it_is_replaced_or_the_reader_ends() {
        let store = GraphStore::in_memory(StoreConfig::default()).unwrap();
        let ann = store.namespace("ann").unwrap();
        ann.put_concept(Concept::new("a", "river")).unwrap();
        let whole = store.shared.newest_state().unwrap();
        let seen = Arc::downgrade(&ann.reader.see(&whole).unwrap());
        let again = Arc::downgrade(&ann.reader.see(&whole).unwrap());
        assert!(seen.strong_count() > 0 && Weak::ptr_eq(&seen, &again));
        let other = store.namespace("ann").unwrap();
        let others = Arc::downgrade(&other.reader.see(&whole).unwrap());
        drop(ann);
        assert_eq!((seen.strong_count(), others.strong_count()), (0, 1));
        drop(whole);
        store.put_concept(Concept::new("b", "stone")).unwrap();
        assert_eq!(others.strong_count(), 0);
    }
}
