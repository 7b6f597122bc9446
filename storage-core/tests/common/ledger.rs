//! What several writers put into one store, made so that every state shows whether it is whole.
//!
//! The transaction `at` of a writer moves its head on, adds an entry that stays and an item with words,
//! a vector and associations, and takes the item of [`WINDOW`] transactions before away; every third one
//! also counts up what all writers share. So the heads alone say what all else has to be, and the epoch
//! is their sum.

#![allow(dead_code, reason = "each test file uses its own share of the ledger")]

use std::collections::BTreeSet;

use storage_core::{
    Association, Concept, Direction, Durability, Error, Filter, GraphStore, Snapshot, Transaction,
};

use super::Random;

/// How many writers there are.
pub(crate) const WRITERS: u64 = 4;
/// How many items of a writer are there at a time.
pub(crate) const WINDOW: u64 = 12;
/// Each so many transactions of a writer count.
const COUNTED: u64 = 3;

fn head(writer: u64) -> String {
    format!("head {writer}")
}

fn item(writer: u64, at: u64) -> String {
    format!("item {writer} {at}")
}

fn entry(writer: u64, at: u64) -> String {
    format!("entry {writer} {at}")
}

/// The word that all items of a writer have in common.
fn word(writer: u64) -> String {
    format!("writer{writer}")
}

fn content(writer: u64, at: u64) -> String {
    format!("{} wrote number{at}", word(writer))
}

fn vector(writer: u64, at: u64) -> Vec<f32> {
    Random(at * WRITERS + writer).vector()
}

/// Commits the transaction `at` of a writer, again where another writer's count came between; returns
/// its number and how often it met a conflict.
pub(crate) fn commit(
    store: &GraphStore,
    writer: u64,
    at: u64,
    durability: Durability,
) -> storage_core::Result<(u64, u64)> {
    let mut conflicts = 0;
    loop {
        let mut transaction = store.transaction()?;
        put(&mut transaction, writer, at)?;
        match transaction.commit_with(durability) {
            Err(Error::Conflict { .. }) => conflicts += 1,
            outcome => return outcome.map(|lsn| (lsn, conflicts)),
        }
    }
}

fn put(transaction: &mut Transaction<'_>, writer: u64, at: u64) -> storage_core::Result<()> {
    transaction.put_concepts(vec![
        Concept::new(entry(writer, at), ""),
        Concept::new(head(writer), (at + 1).to_string()),
        Concept::new(item(writer, at), content(writer, at)).with_vector(vector(writer, at)),
    ])?;
    let of =
        |target: String, name: &str| Association::new(item(writer, at), target).with_type(name);
    transaction.put_association(of(head(writer), "of"), false)?;
    if at > 0 {
        transaction.put_association(of(item(writer, at - 1), "after"), false)?;
    }
    if at >= WINDOW {
        transaction.delete_concept(&item(writer, at - WINDOW))?;
    }
    if at.is_multiple_of(COUNTED) {
        let count = transaction.concept("count")?.map_or(0, |c| number(&c.content));
        transaction.put_concept(Concept::new("count", (count + 1).to_string()))?;
    }
    Ok(())
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is to be a number"))
}

/// How many transactions of each writer are in a state.
pub(crate) fn heads(state: &Snapshot) -> storage_core::Result<Vec<u64>> {
    let head = |writer| Ok(state.concept(&head(writer))?.map_or(0, |c| number(&c.content)));
    (0..WRITERS).map(head).collect()
}

/// Checks that a state has all of the transactions that its heads name, in every index, and no more;
/// returns the heads.
pub(crate) fn check(state: &Snapshot) -> storage_core::Result<Vec<u64>> {
    let heads = heads(state)?;
    let items = |head: &u64| (*head).min(WINDOW);
    let counted = heads.iter().map(|head| head.div_ceil(COUNTED)).sum::<u64>();
    let found = (state.epoch(), state.concept_count(), state.association_count());
    let (mut concepts, mut associations) = (u64::from(counted > 0), 0);
    for head in &heads {
        concepts += head + items(head) + u64::from(*head > 0);
        associations += items(head) + items(head).saturating_sub(1);
    }
    let expected = (heads.iter().sum(), concepts, associations);
    assert_eq!(found, expected, "epoch, concepts, associations of the heads {heads:?}");
    assert_eq!(state.vector_count(), heads.iter().map(items).sum::<u64>(), "heads {heads:?}");
    let count = state.concept("count")?.map_or(0, |concept| number(&concept.content));
    assert_eq!(count, counted, "what all count, of the heads {heads:?}");
    for (writer, &head) in (0..).zip(&heads) {
        check_writer(state, writer, head)?;
    }
    Ok(heads)
}

fn check_writer(state: &Snapshot, writer: u64, head: u64) -> storage_core::Result<()> {
    let range = head.saturating_sub(WINDOW)..head;
    let expected: BTreeSet<String> = range.clone().map(|at| item(writer, at)).collect();
    let hits = state.search_text(&word(writer), 1000)?;
    let found: BTreeSet<String> = hits.into_iter().map(|hit| hit.id).collect();
    assert_eq!(found, expected, "by words, writer {writer}");
    if head > 0 {
        let found = state.neighbors(&self::head(writer), Direction::In)?;
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "of head {writer}");
        assert!(state.contains(&entry(writer, head - 1))?, "the last entry of {writer}");
    }
    assert!(!state.contains(&entry(writer, head))?, "an entry of {writer} beyond its head");
    for at in range.clone() {
        let id = item(writer, at);
        let concept = state.concept(&id)?.unwrap_or_else(|| panic!("{id} is missing"));
        assert_eq!(concept.content, content(writer, at));
        assert_eq!(concept.vector, Some(vector(writer, at)), "{id}");
        let after = state.association(&id, &item(writer, at.saturating_sub(1)), "after")?;
        assert_eq!(after.is_some(), at > range.start, "{id} after the one before");
        let hits = state.search_vector(&vector(writer, at), 1, &Filter::default())?;
        assert_eq!(hits[0].id, id, "by vector");
    }
    Ok(())
}

/// Checks that each writer's entries are all there, in the order in which it wrote them.
pub(crate) fn check_entries(state: &Snapshot) -> storage_core::Result<()> {
    let mut next = vec![0; WRITERS as usize];
    for id in state.concept_ids(None, usize::MAX)? {
        let Some(rest) = id.strip_prefix("entry ") else { continue };
        let (writer, at) = rest.split_once(' ').expect("an entry has a writer and a number");
        let next = &mut next[number(writer) as usize];
        assert_eq!(number(at), *next, "the entries of writer {writer}, in the order of putting");
        *next += 1;
    }
    assert_eq!(next, heads(state)?, "entries of each writer");
    Ok(())
}
