//! Associations of a state: by end, by key, and the paths that they make.

use graph_index::paths::{self, PathOptions};
use graph_index::{EdgeRef, Layer, LayeredGraph};

use super::{Part, State};
use crate::operation::EdgeKey;
use crate::segment::Segment;
use crate::{Association, Direction, Error, Result, interrupt, record};

/// A search for the best paths between concepts.
#[derive(Debug, Clone)]
pub struct PathQuery {
    /// At most this many paths.
    pub k: usize,
    /// At most this many associations in a path, 64 or less.
    pub max_depth: u32,
    /// Along which direction of the associations a path runs.
    pub direction: Direction,
    /// Only associations of these types; `None`: all.
    pub types: Option<Vec<String>>,
    /// Only associations of at least this confidence, 0 to 1. One of confidence 0 is never followed: it
    /// is held impossible, and explains nothing.
    pub min_confidence: f32,
    /// Associations looked at before the search gives up; see [`FoundPaths::is_complete`].
    pub max_visited: u64,
}

impl Default for PathQuery {
    fn default() -> Self {
        Self {
            k: 5,
            max_depth: 6,
            direction: Direction::Out,
            types: None,
            min_confidence: 0.0,
            max_visited: 1_000_000,
        }
    }
}

/// What a search for paths found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundPaths {
    /// Best first.
    pub paths: Vec<FoundPath>,
    /// Whether the search ended by itself; if not, it looked at [`PathQuery::max_visited`] associations
    /// and gave up, and there may be better or further paths.
    pub is_complete: bool,
}

/// A path between two concepts.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundPath {
    /// The concepts on it, first to last.
    pub concept_ids: Vec<String>,
    /// The associations between them, in the same order.
    pub steps: Vec<PathStep>,
    /// The product of the associations' confidences, 0 to 1.
    pub confidence: f32,
}

/// One association on a path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathStep {
    /// The association.
    pub association: Association,
    /// Whether the path follows it from source to target.
    pub forward: bool,
}

impl State {
    /// All live edges at a concept, with the parts they are in.
    pub(crate) fn edges_at(
        &self,
        number: u32,
        direction: Direction,
    ) -> Result<Vec<(usize, EdgeRef)>> {
        let mut found = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let Some(graph) = part.segment.graph()? else { continue };
            let live = |edge: &EdgeRef| !part.dead_edges.contains(edge.id);
            if direction != Direction::In {
                found.extend(graph.out_edges(number).filter(live).map(|edge| (at, edge)));
            }
            if direction != Direction::Out {
                // A loop is found from its source already.
                let seen = |edge: &EdgeRef| direction == Direction::Both && edge.source == number;
                let edges = graph.in_edges(number).filter(live);
                found.extend(edges.filter(|edge| !seen(edge)).map(|edge| (at, edge)));
            }
        }
        Ok(found)
    }

    /// The distinct numbers at the other ends of a concept's associations, ascending.
    pub(crate) fn neighbors(
        &self,
        number: u32,
        direction: Direction,
        types: Option<&[u32]>,
    ) -> Result<Vec<u32>> {
        let mut numbers: Vec<u32> = self
            .edges_at(number, direction)?
            .into_iter()
            .filter(|(_, edge)| types.is_none_or(|types| types.contains(&edge.type_id)))
            .map(|(_, edge)| if edge.source == number { edge.target } else { edge.source })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// The live edge with a key, and the part it is in.
    pub(crate) fn find_association(&self, key: EdgeKey) -> Result<Option<(usize, u32)>> {
        for (at, part) in self.parts.iter().enumerate().rev() {
            if let Some(edge) = part.segment.find_edge(key)?
                && !part.dead_edges.contains(edge)
            {
                return Ok(Some((at, edge)));
            }
        }
        Ok(None)
    }

    /// The numbers of type names; names that no association has are left out.
    pub(crate) fn type_numbers(&self, names: &[String]) -> Vec<u32> {
        names.iter().filter_map(|name| self.types.number(name)).collect()
    }

    /// The whole association of an edge.
    pub(crate) fn association(&self, part: usize, edge: EdgeRef) -> Result<Association> {
        let segment: &Segment = &self.parts[part].segment;
        let id = |number: u32| -> Result<String> {
            Ok(self.id_of(number)?.ok_or_else(|| self.dangling(number))?.to_owned())
        };
        let type_name = self.types.name(edge.type_id).ok_or_else(|| {
            let expected = format!("a type below {}", self.types.len());
            Error::corrupt(segment.path(), 0, expected, edge.type_id.to_string())
        })?;
        let mut association =
            Association::new(id(edge.source)?, id(edge.target)?).with_type(&**type_name);
        association.weight = edge.weight;
        association.confidence = edge.confidence;
        record::decode_association(segment.edge_record(edge.id)?, &mut association)
            .map_err(|e| segment.bad_record(&e))?;
        Ok(association)
    }

    /// The association with a key.
    pub(crate) fn association_by_key(&self, key: EdgeKey) -> Result<Option<Association>> {
        let Some((part, edge)) = self.find_association(key)? else { return Ok(None) };
        let found = self.parts[part].segment.graph()?.and_then(|graph| graph.edge(edge));
        found.map(|edge| self.association(part, edge)).transpose()
    }

    /// The associations as petgraph's traits see them.
    pub(crate) fn layered_graph(&self) -> Result<LayeredGraph<'_>> {
        let mut layers = Vec::new();
        for part in self.parts_with_edges() {
            if let Some(view) = part.segment.graph()? {
                layers.push(Layer { view, dead_edges: Some(&part.dead_edges) });
            }
        }
        Ok(LayeredGraph::new(layers))
    }

    pub(crate) fn find_paths(
        &self,
        sources: &[&str],
        targets: &[&str],
        query: &PathQuery,
    ) -> Result<FoundPaths> {
        crate::concept::check_range("min_confidence", query.min_confidence, 1.0)?;
        if query.max_depth > paths::MAX_DEPTH {
            return Err(Error::InvalidArgument {
                name: "max_depth",
                expected: format!("at most {}", paths::MAX_DEPTH),
                found: query.max_depth.to_string(),
            });
        }
        let numbers = |ids: &[&str]| -> Result<Vec<u32>> {
            let mut numbers = Vec::with_capacity(ids.len());
            for id in ids {
                numbers.extend(self.number_of(id)?);
            }
            Ok(numbers)
        };
        let (sources, targets) = (numbers(sources)?, numbers(targets)?);
        if sources.is_empty() || targets.is_empty() {
            return Ok(FoundPaths { paths: Vec::new(), is_complete: true });
        }
        let layers: Vec<usize> =
            (0..self.parts.len()).filter(|&at| self.parts[at].segment.edges() > 0).collect();
        let graph = self.layered_graph()?;
        let options = PathOptions {
            k: query.k,
            max_depth: query.max_depth,
            direction: match query.direction {
                Direction::Out => graph_index::Direction::Outgoing,
                Direction::In => graph_index::Direction::Incoming,
                Direction::Both => graph_index::Direction::Both,
            },
            types: query.types.as_ref().map(|names| self.type_numbers(names)),
            min_confidence: query.min_confidence,
            max_visited_edges: query.max_visited,
            ..PathOptions::default()
        };
        let stop = &interrupt::is_wanted;
        let found = paths::best_paths_until(&graph, &sources, &targets, &options, stop);
        let found = found.map_err(|e| Error::InvalidArgument {
            name: "paths",
            expected: "options within their ranges".to_owned(),
            found: e.to_string(),
        })?;
        if found.budget_exhausted {
            interrupt::check_now()?;
        }
        let is_complete = !found.budget_exhausted;
        let paths = found
            .paths
            .into_iter()
            .map(|path| {
                let steps = path.edges.iter().map(|step| {
                    let association = self.association(layers[step.layer as usize], step.edge)?;
                    Ok(PathStep { association, forward: step.forward })
                });
                Ok(FoundPath {
                    concept_ids: self.ids_of(path.nodes.iter().copied())?,
                    steps: steps.collect::<Result<_>>()?,
                    confidence: path.confidence,
                })
            })
            .collect::<Result<_>>()?;
        Ok(FoundPaths { paths, is_complete })
    }

    fn parts_with_edges(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.segment.edges() > 0)
    }
}
