//! A model of the store in plain maps, and workloads that drive both alike.

#![allow(dead_code, reason = "each test file uses its own share of the model")]

pub(crate) mod bounded;
pub(crate) mod child;
pub(crate) mod crafted;
pub(crate) mod damaged;
pub(crate) mod deadly;
pub(crate) mod held;
pub(crate) mod indexed;
pub(crate) mod ledger;
pub(crate) mod power;
pub(crate) mod scheduled;
pub(crate) mod timed;
pub(crate) mod watched;
pub(crate) mod wide;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use storage_core::{
    Association, Concept, ConceptPatch, Direction, Filter, GraphStore, OpenOptions, Snapshot,
    StoreConfig,
};

pub(crate) const DIM: usize = 8;

pub(crate) fn options() -> OpenOptions {
    let config = StoreConfig { vector_dimension: DIM, ..StoreConfig::default() };
    OpenOptions { config: config.into(), background: false, ..OpenOptions::default() }
}

/// A number that an environment variable holds, if it is set.
pub(crate) fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is to be a number, not {value:?}")))
}

/// Copies a directory and all in it.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory can be made");
    for entry in std::fs::read_dir(from).expect("the directory is there") {
        let path = entry.expect("it can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_directory(&path, &target);
        } else {
            std::fs::copy(&path, target).expect("a file can be copied");
        }
    }
}

/// A generator of numbers that a seed fixes (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn vector(&mut self) -> Vec<f32> {
        (0..DIM).map(|_| (self.below(2001) as f32 - 1000.0) / 1000.0).collect()
    }
}

pub(crate) const WORDS: [&str; 12] = [
    "river", "stone", "cloud", "winter", "garden", "silver", "engine", "forest", "window", "music",
    "yellow", "bridge",
];

/// One step of a workload: one transaction, or something that must change nothing.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Put(Vec<Concept>),
    Patch(String, Box<ConceptPatch>),
    Delete(String),
    Associate(Vec<Association>),
    Dissociate(String, String, String),
    Access(String),
    /// Several kinds of writes in one transaction.
    Mixed(Vec<Step>),
    Flush,
    Compact,
    Save,
}

impl Step {
    pub(crate) fn random(random: &mut Random) -> Self {
        let id = |random: &mut Random| format!("c{}", random.below(24));
        match random.below(20) {
            0..=5 => {
                let count = 1 + random.below(4);
                Self::Put((0..count).map(|_| concept(random)).collect())
            }
            6 => {
                let mut patch = ConceptPatch::default();
                if random.below(2) == 0 {
                    patch.content = Some(text(random));
                } else {
                    patch.vector = Some((random.below(3) > 0).then(|| random.vector()));
                }
                Self::Patch(id(random), Box::new(patch))
            }
            7 | 8 => Self::Delete(id(random)),
            9..=12 => {
                let count = 1 + random.below(5);
                Self::Associate((0..count).map(|_| association(random)).collect())
            }
            13 => {
                let found = association(random);
                Self::Dissociate(found.source_id, found.target_id, found.association_type)
            }
            14 => Self::Access(id(random)),
            15 | 16 => {
                let steps = (0..=random.below(4)).map(|_| Self::random(random));
                Self::Mixed(steps.filter(Self::is_write).collect())
            }
            17 => Self::Flush,
            18 => Self::Compact,
            _ => Self::Save,
        }
    }

    fn is_write(&self) -> bool {
        !matches!(self, Self::Flush | Self::Compact | Self::Save | Self::Mixed(_) | Self::Access(_))
    }
}

fn text(random: &mut Random) -> String {
    let count = random.below(6);
    let words = (0..count).map(|_| WORDS[random.below(WORDS.len() as u64) as usize]);
    words.collect::<Vec<_>>().join(" ")
}

fn concept(random: &mut Random) -> Concept {
    let mut concept = Concept::new(format!("c{}", random.below(24)), text(random));
    if random.below(4) > 0 {
        concept.vector = Some(random.vector());
    }
    concept.created = (random.below(2) == 0).then(|| random.below(1000) as f64);
    concept.category = (random.below(3) == 0).then(|| "some".to_owned());
    concept
}

fn association(random: &mut Random) -> Association {
    let id = |random: &mut Random| format!("c{}", random.below(24));
    let mut found = Association::new(id(random), id(random));
    if random.below(2) == 0 {
        found.association_type = format!("type {}", random.below(3));
    }
    found.confidence = random.below(101) as f32 / 100.0;
    found.weight = random.below(50) as f32;
    found
}

/// What a store holds, as plain maps.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Model {
    pub(crate) concepts: BTreeMap<String, ModelConcept>,
    pub(crate) edges: BTreeMap<(String, String, String), (u32, u32)>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ModelConcept {
    pub(crate) content: String,
    pub(crate) vector: Option<Vec<u32>>,
    pub(crate) category: Option<String>,
    pub(crate) accesses: u64,
}

fn bits(vector: &[f32]) -> Vec<u32> {
    vector.iter().map(|x| x.to_bits()).collect()
}

impl Model {
    /// Applies a step; returns whether the store has to accept it.
    pub(crate) fn apply(&mut self, step: &Step) -> bool {
        match step {
            Step::Put(concepts) => {
                for concept in concepts {
                    let put = ModelConcept {
                        content: concept.content.clone(),
                        vector: concept.vector.as_deref().map(bits),
                        category: concept.category.clone(),
                        accesses: 0,
                    };
                    self.concepts.insert(concept.id.clone(), put);
                }
                true
            }
            Step::Patch(id, patch) => {
                let Some(concept) = self.concepts.get_mut(id) else { return false };
                if let Some(content) = &patch.content {
                    concept.content.clone_from(content);
                }
                if let Some(vector) = &patch.vector {
                    concept.vector = vector.as_deref().map(bits);
                }
                true
            }
            Step::Delete(id) => {
                if self.concepts.remove(id).is_some() {
                    self.edges.retain(|key, _| &key.0 != id && &key.1 != id);
                }
                true
            }
            Step::Associate(associations) => {
                let known = |a: &&Association| {
                    self.concepts.contains_key(&a.source_id)
                        && self.concepts.contains_key(&a.target_id)
                };
                if associations.iter().filter(known).count() < associations.len() {
                    return false;
                }
                for a in associations {
                    let key =
                        (a.source_id.clone(), a.target_id.clone(), a.association_type.clone());
                    self.edges.insert(key, (a.weight.to_bits(), a.confidence.to_bits()));
                }
                true
            }
            Step::Dissociate(source, target, name) => {
                self.edges.remove(&(source.clone(), target.clone(), name.clone()));
                true
            }
            Step::Access(id) => match self.concepts.get_mut(id) {
                Some(concept) => {
                    concept.accesses += 1;
                    true
                }
                None => false,
            },
            Step::Mixed(steps) => {
                let before = self.clone();
                let whole = steps.iter().all(|step| self.apply(step));
                if !whole {
                    *self = before;
                }
                whole
            }
            Step::Flush | Step::Compact | Step::Save => true,
        }
    }

    /// Reads all of a store, in ways that cross-check its indexes.
    pub(crate) fn read(store: &GraphStore) -> storage_core::Result<Self> {
        Self::read_snapshot(&store.snapshot()?)
    }

    /// Reads all of one state.
    pub(crate) fn read_snapshot(snapshot: &Snapshot) -> storage_core::Result<Self> {
        let mut model = Self::default();
        for id in snapshot.concept_ids(None, usize::MAX)? {
            let concept = snapshot.concept(&id)?.expect("a listed concept is there");
            assert_eq!(snapshot.vector(&id)?, concept.vector);
            for association in snapshot.associations(&id, Direction::Out, None)? {
                let Association { source_id, target_id, association_type, .. } = association;
                assert_eq!(source_id, id);
                let value = (association.weight.to_bits(), association.confidence.to_bits());
                let old = model.edges.insert((source_id, target_id, association_type), value);
                assert_eq!(old, None, "one association a key");
            }
            let read = ModelConcept {
                content: concept.content,
                vector: concept.vector.as_deref().map(bits),
                category: concept.category,
                accesses: concept.access_count,
            };
            assert_eq!(model.concepts.insert(id, read), None, "one concept an id");
        }
        Ok(model)
    }

    /// Compares every index of a store with brute force over the model.
    pub(crate) fn check(&self, store: &GraphStore) {
        self.check_snapshot(&store.snapshot().expect("a sound store has a state"));
    }

    /// Compares every index of one state with brute force over the model.
    pub(crate) fn check_snapshot(&self, store: &Snapshot) {
        let read = Self::read_snapshot(store).expect("a sound store reads");
        assert_eq!(&read, self);
        assert_eq!(store.concept_count() as usize, self.concepts.len());
        assert_eq!(store.association_count() as usize, self.edges.len());
        let with_vector = self.concepts.values().filter(|c| c.vector.is_some()).count();
        assert_eq!(store.vector_count() as usize, with_vector);
        for id in self.concepts.keys() {
            let ends = |of: usize| -> BTreeSet<&String> {
                let key =
                    |k: &(String, String, String)| if of == 0 { &k.0 == id } else { &k.1 == id };
                let edges = self.edges.keys().filter(|&k| key(k));
                edges.map(|k| if of == 0 { &k.1 } else { &k.0 }).collect()
            };
            for (direction, of) in [(Direction::Out, 0), (Direction::In, 1)] {
                let found = store.neighbors(id, direction).expect("neighbours");
                assert_eq!(found.iter().collect::<BTreeSet<_>>(), ends(of), "{id} {direction:?}");
                assert_eq!(found.len(), ends(of).len(), "neighbours are distinct");
            }
        }
        for word in WORDS {
            let hits = store.search_text(word, 1000).expect("words");
            let found: BTreeSet<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
            let holds = |c: &ModelConcept| c.content.split(' ').any(|w| w == word);
            let expected: BTreeSet<&str> =
                self.concepts.iter().filter(|(_, c)| holds(c)).map(|(id, _)| id.as_str()).collect();
            assert_eq!(found, expected, "{word}");
            self.check_scores(word, &hits);
        }
        let query: Vec<f32> = (0..DIM).map(|i| i as f32 - 3.0).collect();
        let hits = store.search_vector(&query, 1000, &Filter::default()).expect("vectors");
        assert_eq!(hits.len(), with_vector);
        for hit in &hits {
            let vector = self.concepts[&hit.id].vector.as_ref().expect("a hit has a vector");
            let vector: Vec<f32> = vector.iter().map(|&x| f32::from_bits(x)).collect();
            assert!((hit.score - cosine(&query, &vector)).abs() < 1e-5, "{}", hit.id);
        }
        assert!(hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }

    /// BM25 by the book, in 64-bit floats.
    fn check_scores(&self, word: &str, hits: &[storage_core::ConceptHit]) {
        let lengths: Vec<usize> =
            self.concepts.values().map(|c| c.content.split_whitespace().count()).collect();
        let count = lengths.len() as f64;
        let average = lengths.iter().sum::<usize>() as f64 / count;
        let df = hits.len() as f64;
        let idf = (1.0 + (count - df + 0.5) / (df + 0.5)).ln();
        for hit in hits {
            let content = &self.concepts[&hit.id].content;
            let tf = content.split(' ').filter(|w| *w == word).count() as f64;
            let length = content.split_whitespace().count() as f64;
            let score = idf * tf / (tf + 1.2 * (1.0 - 0.75 + 0.75 * length / average));
            assert!((f64::from(hit.score) - score).abs() < 1e-5, "{word} in {}: {score}", hit.id);
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>()
    };
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if norms == 0.0 { 0.0 } else { (dot(a, b) / norms) as f32 }
}

/// Runs a random step on a store and its model, which must agree on whether it is refused.
pub(crate) fn run_both(store: &GraphStore, model: &mut Model, random: &mut Random) {
    let step = Step::random(random);
    let mut next = model.clone();
    let accepted = next.apply(&step);
    let outcome = run(store, &step);
    assert_eq!(outcome.is_ok(), accepted, "{step:?}: {outcome:?}");
    if accepted {
        *model = next;
    }
}

/// Runs a step on a store.
pub(crate) fn run(store: &GraphStore, step: &Step) -> storage_core::Result<()> {
    match step {
        Step::Put(concepts) => store.put_concepts(concepts.clone()).map(|_| ()),
        Step::Patch(id, patch) => store.update_concept(id, (**patch).clone()).map(|_| ()),
        Step::Delete(id) => store.delete_concept(id).map(|_| ()),
        Step::Associate(associations) => {
            store.put_associations(associations.clone(), false).map(|_| ())
        }
        Step::Dissociate(source, target, name) => {
            store.delete_association(source, target, name).map(|_| ())
        }
        Step::Access(id) => store.access(id, None).map(|_| ()),
        Step::Mixed(steps) => {
            let mut transaction = store.transaction()?;
            for step in steps {
                match step {
                    Step::Put(concepts) => {
                        for concept in concepts {
                            transaction.put_concept(concept.clone())?;
                        }
                    }
                    Step::Patch(id, patch) => transaction.update_concept(id, (**patch).clone())?,
                    Step::Delete(id) => {
                        transaction.delete_concept(id)?;
                    }
                    Step::Associate(associations) => {
                        for association in associations {
                            transaction.put_association(association.clone(), false)?;
                        }
                    }
                    Step::Dissociate(source, target, name) => {
                        transaction.delete_association(source, target, name)?;
                    }
                    other => panic!("{other:?} is no part of a transaction"),
                }
            }
            transaction.commit().map(|_| ())
        }
        Step::Flush => store.flush(),
        Step::Compact => store.compact(),
        Step::Save => store.save(),
    }
}

/// Random steps that a store takes, and the state at each epoch that they lead to.
pub(crate) fn accepted_steps(random: &mut Random, count: usize) -> (Vec<Step>, Vec<Model>) {
    let store = GraphStore::in_memory(options().config).expect("a store can be made");
    let (mut steps, mut states) = (Vec::new(), vec![Model::default()]);
    while steps.len() < count {
        let step = Step::random(random);
        let mut next = states.last().expect("there is a first state").clone();
        next.apply(&step);
        // Of a refusal other tests know.
        if run(&store, &step).is_ok() {
            if store.snapshot().expect("it is open").epoch() == states.len() as u64 {
                states.push(next);
            }
            steps.push(step);
        }
    }
    (steps, states)
}
