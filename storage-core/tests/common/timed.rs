//! Concepts and associations that hold for a time, or expire, beside their model.
//!
//! Invariant: what expires has done so long ago, or will in a long time, so that a model needs no clock.

#![allow(dead_code, reason = "each test file uses its own share of the model")]

use std::collections::BTreeMap;

use storage_core::{Association, Concept, ConceptPatch, GraphStore};

use super::{Model, ModelConcept, Random, Step, WORDS};

/// A model of concepts and associations that hold for a time.
#[derive(Debug, Default, Clone)]
pub(crate) struct Timed {
    pub(crate) model: Model,
    concepts: BTreeMap<String, (f64, f64)>,
    edges: BTreeMap<(String, String, String), (f64, f64)>,
}

impl Timed {
    /// What holds at a time.
    pub(crate) fn at(&self, time: f64) -> Model {
        let holds = |window: &(f64, f64)| window.0 <= time && time < window.1;
        let mut model = self.model.clone();
        model.concepts.retain(|id, _| holds(&self.concepts[id]));
        let Model { concepts, edges } = &mut model;
        edges.retain(|key, _| {
            let ends = concepts.contains_key(&key.0) && concepts.contains_key(&key.1);
            ends && holds(&self.edges[key])
        });
        model
    }

    /// Applies a step of a workload without windows; returns whether the store has to accept it.
    pub(crate) fn apply(&mut self, step: &Step) -> bool {
        let accepted = self.model.apply(step);
        if accepted {
            self.open_windows(step);
            let Self { model, concepts, edges } = self;
            concepts.retain(|id, _| model.concepts.contains_key(id));
            edges.retain(|key, _| model.edges.contains_key(key));
        }
        accepted
    }

    /// What is put without a window always holds.
    fn open_windows(&mut self, step: &Step) {
        let always = bounds((None, None));
        match step {
            Step::Put(concepts) => {
                self.concepts.extend(concepts.iter().map(|concept| (concept.id.clone(), always)));
            }
            Step::Associate(associations) => {
                let key = |a: &Association| {
                    (a.source_id.clone(), a.target_id.clone(), a.association_type.clone())
                };
                self.edges.extend(associations.iter().map(|a| (key(a), always)));
            }
            Step::Mixed(steps) => steps.iter().for_each(|step| self.open_windows(step)),
            _ => {}
        }
    }

    fn delete(&mut self, id: &str) {
        self.model.concepts.remove(id);
        self.concepts.remove(id);
        let Self { model, edges, .. } = self;
        model.edges.retain(|key, _| key.0 != id && key.1 != id);
        edges.retain(|key, _| key.0 != id && key.1 != id);
    }
}

fn window(random: &mut Random) -> (Option<f64>, Option<f64>) {
    let from = (random.below(3) == 0).then(|| random.below(50) as f64);
    let to = (random.below(3) == 0).then(|| 50.0 + random.below(50) as f64);
    (from, to)
}

fn bounds((from, to): (Option<f64>, Option<f64>)) -> (f64, f64) {
    (from.unwrap_or(f64::NEG_INFINITY), to.unwrap_or(f64::INFINITY))
}

/// Never, in a long time, or long ago.
fn expires(random: &mut Random) -> Option<f64> {
    match random.below(6) {
        0 => Some(1.0 + random.below(9) as f64),
        1 => Some(1e12),
        _ => None,
    }
}

/// What a step promises on its return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// All that was committed so far survives power loss.
    Durable,
    /// What the store was opened for.
    AsOpened,
}

/// Runs a random step on a store and its model, which must agree on whether it is refused.
pub(crate) fn step(store: &GraphStore, timed: &mut Timed, random: &mut Random) -> Promise {
    let id = |random: &mut Random| format!("c{}", random.below(12));
    match random.below(8) {
        0..=3 => {
            let (id, window, expires) = (id(random), window(random), expires(random));
            let word = WORDS[random.below(12) as usize];
            let mut concept = Concept::new(&id, word);
            concept.vector = (random.below(2) == 0).then(|| random.vector());
            (concept.valid_from, concept.valid_to) = window;
            concept.expires = expires;
            let vector = concept.vector.as_deref();
            let put = ModelConcept {
                content: word.to_owned(),
                vector: vector.map(|v| v.iter().map(|x| x.to_bits()).collect()),
                ..ModelConcept::default()
            };
            store.put_concept(concept).expect("a sound store takes it");
            if expires.is_some_and(|time| time < 1e9) {
                timed.delete(&id);
            } else {
                timed.model.concepts.insert(id.clone(), put);
                timed.concepts.insert(id, bounds(window));
            }
        }
        4 | 5 => {
            let mut association = Association::new(id(random), id(random));
            let (window, expires) = (window(random), expires(random));
            (association.valid_from, association.valid_to) = window;
            association.expires = expires;
            let Association { source_id, target_id, association_type, .. } = association.clone();
            let known = |id: &String| timed.model.concepts.contains_key(id);
            let accepted = known(&source_id) && known(&target_id);
            assert_eq!(store.put_association(association).is_ok(), accepted);
            let key = (source_id, target_id, association_type);
            if expires.is_some_and(|time| time < 1e9) {
                timed.model.edges.remove(&key);
                timed.edges.remove(&key);
            } else if accepted {
                let one = 1.0_f32.to_bits();
                timed.model.edges.insert(key.clone(), (one, one));
                timed.edges.insert(key, bounds(window));
            }
        }
        6 => {
            let (id, window) = (id(random), window(random));
            let (valid_from, valid_to) = (Some(window.0), Some(window.1));
            let patch = ConceptPatch { valid_from, valid_to, ..ConceptPatch::default() };
            let known = timed.concepts.get_mut(&id);
            assert_eq!(store.update_concept(&id, patch).is_ok(), known.is_some());
            if let Some(known) = known {
                *known = bounds(window);
            }
        }
        _ => match random.below(4) {
            0 => {
                store.flush().expect("a sound store takes it");
                return Promise::Durable;
            }
            1 => {
                store.compact().expect("a sound store takes it");
                return Promise::Durable;
            }
            2 => drop(store.delete_expired().expect("a sound store takes it")),
            _ => {
                let id = id(random);
                store.delete_concept(&id).expect("a sound store takes it");
                timed.delete(&id);
            }
        },
    }
    Promise::AsOpened
}
