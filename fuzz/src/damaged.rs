//! A store with one file of arbitrary bytes: opened, asked, verified, written to, compacted, reopened.
//!
//! Checksums that match prove nothing here, so any answer will do. Invariant: a reader and a writer
//! give the same, and what fails does so with an error.

use storage_core::{
    AsOf, Association, Concept, Direction, Error, Filter, GraphStore, OpenOptions, PathQuery,
    Snapshot, TextQuery, WordOperator,
};

use crate::sound::{self, CONCEPTS, DIMENSION, NAMESPACE, Part, SOUND, WORDS};

/// What a store answers to a fixed list of questions.
type Answers = Vec<Result<String, String>>;

/// The bytes of a part of the sound store: whole, and cut short.
///
/// # Panics
///
/// When the file format is not what this crate takes it to be.
#[must_use]
pub fn file_seeds(part: Part) -> Vec<Vec<u8>> {
    let sound = SOUND.files[SOUND.path(part)].clone();
    let files = SOUND.with(part, sound.clone());
    assert_eq!(files[SOUND.path(part)], sound, "sound checksums of the {part:?} were changed");
    let store = sound::open(&sound::file_system(&files), sound::options());
    let store = store.expect("the sound store opens");
    let (_, answers) = read(&store).expect("a sound store has a state");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(store.verify().expect("it can be verified").is_sound());
    let half = sound[..sound.len() / 2].to_vec();
    vec![sound, half]
}

/// Opens the store with `bytes`, whose checksums are put right, in place of a part, and uses it.
///
/// # Panics
///
/// When something is found.
pub fn open_damaged(part: Part, bytes: &[u8]) {
    let files = SOUND.with(part, bytes.to_vec());
    let fs = sound::file_system(&files);
    let read_only = OpenOptions { read_only: true, ..sound::options() };
    let seen_by_reader = sound::open(&fs, read_only).and_then(|store| read(&store));
    match sound::open(&fs, sound::options()) {
        Ok(store) => {
            let seen = read(&store);
            if let (Ok(reader), Ok(writer)) = (&seen_by_reader, &seen) {
                assert_eq!(reader, writer, "readers and writers see the same");
            }
            // Each may fail; none may do more than that.
            drop(write(&store));
            drop(read(&store));
            drop(store.close());
            drop(store);
            let reopened = sound::open(&fs, sound::options());
            drop(reopened.and_then(|store| read(&store)));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Asks everything and verifies the files.
fn read(store: &GraphStore) -> Result<(u64, Answers), Error> {
    let snapshot = store.snapshot()?;
    let mut answers = ask(&snapshot);
    // Of what only some see, and of what was, all at once.
    let at_once = |snapshot: Result<Snapshot, Error>| {
        snapshot.map_err(|error| error.to_string()).and_then(|snapshot| {
            ask_briefly(&snapshot)
                .into_iter()
                .collect::<Result<Vec<_>, _>>()
                .map(|all| all.concat())
        })
    };
    answers.push(at_once(snapshot.valid_at(100.0)));
    answers.push(at_once(store.namespace(NAMESPACE).and_then(|user| user.snapshot())));
    for epoch in [2, 7] {
        answers.push(at_once(store.snapshot_as_of(AsOf::Epoch(epoch))));
    }
    drop(store.stats());
    let damage = store.verify()?.damage;
    for error in &damage {
        assert!(!error.to_string().is_empty());
    }
    Ok((snapshot.epoch(), answers))
}

/// Writes a little, and has everything rewritten.
fn write(store: &GraphStore) -> Result<(), Error> {
    let new = Concept::new("new", "a garden of stone");
    let written = store.put_concept(new).and_then(|_| {
        store.put_association(Association::new("new", "c1"))?;
        store.delete_concept("c2")
    });
    let compacted = store.flush().and_then(|()| store.compact());
    written.and(compacted)
}

fn ask(snapshot: &Snapshot) -> Answers {
    let mut answers = Vec::new();
    let all = &mut answers;
    let counts = (snapshot.concept_count(), snapshot.association_count(), snapshot.vector_count());
    answer(all, Ok(counts));
    answer(all, Ok(snapshot.association_types()));
    answer(all, snapshot.concept_ids(None, 1000));
    for id in (0..CONCEPTS).map(sound::id) {
        answer(all, snapshot.concept(&id));
        answer(all, snapshot.neighbors(&id, Direction::Both));
        answer(all, snapshot.associations(&id, Direction::Both, None));
        answer(all, snapshot.similarity(&id, "c2"));
    }
    for word in WORDS {
        answer(all, snapshot.search_text(word, 100));
    }
    let every = TextQuery { operator: WordOperator::And, ..TextQuery::new("river stone cloud", 5) };
    answer(all, snapshot.search_words(&every));
    let filter = Filter { category: Some("some".into()), ..Filter::default() };
    let query = [0.5; DIMENSION];
    answer(all, snapshot.search_vector(&query, 100, &Filter::default()));
    answer(all, snapshot.search_vector(&query, 3, &filter));
    answer(all, snapshot.search_hybrid(Some(&every), Some(&query), 5, &filter));
    answer(all, snapshot.concepts_in_range(20.0, 140.0));
    answer(all, snapshot.find_paths(&["c1", "c2"], &["c9", "c12"], &PathQuery::default()));
    answers
}

/// A little of everything: who sees what is the same in each index.
fn ask_briefly(snapshot: &Snapshot) -> Answers {
    let mut answers = Vec::new();
    let all = &mut answers;
    answer(all, snapshot.concept_ids(None, 1000));
    for id in (0..4).map(sound::id) {
        answer(all, snapshot.concept(&id));
        answer(all, snapshot.associations(&id, Direction::Both, None));
    }
    answer(all, snapshot.search_text(WORDS[0], 100));
    answer(all, snapshot.search_vector(&[0.5; DIMENSION], 100, &Filter::default()));
    answers
}

fn answer(answers: &mut Answers, answer: Result<impl std::fmt::Debug, Error>) {
    answers.push(match answer {
        Ok(answer) => Ok(format!("{answer:?}")),
        Err(error) => Err(error.to_string()),
    });
}
