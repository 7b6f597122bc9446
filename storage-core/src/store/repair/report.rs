//! What a repair found, saved and lost, as data.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::store::stats::MOST_LISTED;

/// Losses that a report names; the others are counted.
const MOST_NAMED: usize = 10_000;

/// What [`crate::GraphStore::repair`] found, saved and lost.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RepairReport {
    /// Files of the damaged store that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Every damaged place, as a typed error that names file and offset, whether or not anything was lost
    /// by it; at most 10,000 of them.
    pub damage: Vec<Error>,
    /// Damaged places beyond those that are listed.
    pub unlisted_damage: u64,
    /// The generation of the manifest that was gone by; `None` where no manifest could be read.
    pub generation: Option<u64>,
    /// The damaged store's last transaction that is in the repaired one.
    pub epoch: u64,
    /// What the repaired store holds.
    pub saved: Tally,
    /// What is known to be lost.
    pub lost: Tally,
    /// What was lost, each named as far as it could be; at most 10,000 of them.
    pub losses: Vec<Loss>,
    /// Losses beyond those that are named.
    pub unnamed_losses: u64,
}

/// Counts of what a store is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Concepts.
    pub concepts: u64,
    /// Vectors.
    pub vectors: u64,
    /// Associations.
    pub associations: u64,
}

/// Something that a repair could not save.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// A concept whose id or record is damaged; or its number, where it may have been deleted since.
    Concept {
        /// The segment that it is in.
        path: PathBuf,
        /// Its row there.
        row: u32,
        /// Its number, if that can be read.
        number: Option<u32>,
        /// Its id, if that can be read.
        id: Option<String>,
    },
    /// The number of a concept that was saved, and with it the concept's associations and the accesses to
    /// it since it was last put. It is the last in the order of first puts.
    Number {
        /// The concept.
        id: String,
    },
    /// The vector of a concept that was saved.
    Vector {
        /// The concept.
        id: String,
    },
    /// Vectors of which it can't be told whose they are.
    Vectors {
        /// The segment that they are in.
        path: PathBuf,
        /// How many.
        count: u64,
    },
    /// When a concept that was saved was created; it counts as created by the repair.
    Created {
        /// The concept.
        id: String,
    },
    /// An association whose record is damaged, or one of whose ends is lost.
    Association {
        /// Its source's id, or its number where the concept is lost.
        source: String,
        /// Its target's.
        target: String,
        /// Its type.
        association_type: String,
    },
    /// Associations of which it can't be told which they are.
    Associations {
        /// The segment that they are in.
        path: PathBuf,
        /// How many.
        count: u64,
    },
    /// Accesses to concepts that can't be told: these concepts have the counts of an earlier time.
    Accesses {
        /// The segment that they are in.
        path: PathBuf,
        /// Of how many concepts.
        count: u64,
    },
    /// Transactions whose frames are damaged. What they put is missing, or as it was before; what they
    /// deleted may be there.
    Transactions {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// Bytes at the end of a log that are no frame: transactions that were being written, or damaged ones.
    LogEnd {
        /// The log.
        path: PathBuf,
        /// Where they begin.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// A log that can't be read at all; what is known of its transactions is told besides.
    Log {
        /// The log.
        path: PathBuf,
    },
    /// A segment that can't be read at all.
    Segment {
        /// The segment.
        path: PathBuf,
    },
    /// What was deleted from a segment: versions that had ended may be there again.
    Deletions {
        /// The tombstones' file.
        path: PathBuf,
    },
    /// Names of association types, which only manifests hold: these types are called "unknown type" and
    /// their number.
    TypeNames {
        /// How many.
        count: u64,
    },
    /// Options of the store that no file told, and that were taken to be the defaults.
    Options {
        /// Their names.
        names: Vec<&'static str>,
    },
    /// States before the repair: the repaired store keeps the past from its beginning on.
    Past,
}

impl Loss {
    /// What it is, in one word, as in the name of the variant.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Concept { .. } => "concept",
            Self::Number { .. } => "number",
            Self::Vector { .. } => "vector",
            Self::Vectors { .. } => "vectors",
            Self::Created { .. } => "created",
            Self::Association { .. } => "association",
            Self::Associations { .. } => "associations",
            Self::Accesses { .. } => "accesses",
            Self::Transactions { .. } => "transactions",
            Self::LogEnd { .. } => "log_end",
            Self::Log { .. } => "log",
            Self::Segment { .. } => "segment",
            Self::Deletions { .. } => "deletions",
            Self::TypeNames { .. } => "type_names",
            Self::Options { .. } => "options",
            Self::Past => "past",
        }
    }

    /// The file that it was lost from, if it was one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Concept { path, .. }
            | Self::Vectors { path, .. }
            | Self::Associations { path, .. }
            | Self::Accesses { path, .. }
            | Self::LogEnd { path, .. }
            | Self::Log { path }
            | Self::Segment { path }
            | Self::Deletions { path } => Some(path),
            _ => None,
        }
    }

    /// The concept that it is or was a part of, if its id is known.
    #[must_use]
    pub fn concept_id(&self) -> Option<&str> {
        match self {
            Self::Concept { id, .. } => id.as_deref(),
            Self::Number { id } | Self::Vector { id } | Self::Created { id } => Some(id),
            _ => None,
        }
    }

    /// How much of a store it is, in order to choose between two ways to read one.
    fn weight(&self) -> u64 {
        match self {
            Self::Past => 0,
            Self::Vectors { count, .. }
            | Self::Accesses { count, .. }
            | Self::Associations { count, .. }
            | Self::TypeNames { count } => *count,
            Self::Transactions { first, last } => (last - first).saturating_add(1),
            Self::Log { .. } | Self::Deletions { .. } => 1000,
            Self::Segment { .. } => 1 << 32,
            _ => 1,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Concept { path, row, number, id } => {
                let name = match (id, number) {
                    (Some(id), _) => format!("concept {id:?}"),
                    (None, Some(number)) => format!("the concept with number {number}"),
                    (None, None) => "a concept".to_owned(),
                };
                write!(out, "{name}, row {row} of {}", path.display())
            }
            Self::Number { id } => {
                write!(out, "the number of concept {id:?}, with its associations and accesses")
            }
            Self::Vector { id } => write!(out, "the vector of concept {id:?}"),
            Self::Vectors { path, count } => {
                write!(out, "{count} vectors in {}, of unknown concepts", path.display())
            }
            Self::Created { id } => write!(out, "when concept {id:?} was created"),
            Self::Association { source, target, association_type } => {
                write!(out, "the association {source:?} -{association_type}-> {target:?}")
            }
            Self::Associations { path, count } => {
                write!(out, "{count} associations in {}, of unknown concepts", path.display())
            }
            Self::Accesses { path, count } => {
                write!(out, "accesses to {count} concepts in {}", path.display())
            }
            Self::Transactions { first, last } if first == last => {
                write!(out, "transaction {first}")
            }
            Self::Transactions { first, last } => write!(out, "transactions {first} to {last}"),
            Self::LogEnd { path, offset, bytes } => {
                write!(out, "{bytes} bytes at {offset}, the end of {}", path.display())
            }
            Self::Log { path } => write!(out, "the log {}", path.display()),
            Self::Segment { path } => write!(out, "the segment {}", path.display()),
            Self::Deletions { path } => {
                write!(out, "deletions in {}: what they ended may be there again", path.display())
            }
            Self::TypeNames { count } => write!(out, "the names of {count} association types"),
            Self::Options { names } => {
                write!(out, "the options {}, taken to be the defaults", names.join(", "))
            }
            Self::Past => write!(out, "the past: earlier states can't be read any more"),
        }
    }
}

/// Losses as they are found.
#[derive(Debug, Default, Clone)]
pub(super) struct Losses {
    named: Vec<Loss>,
    unnamed: u64,
    tally: Tally,
    weight: u64,
}

impl Losses {
    pub(super) fn push(&mut self, loss: Loss) {
        self.weight = self.weight.saturating_add(loss.weight());
        match &loss {
            Loss::Concept { .. } => self.tally.concepts += 1,
            Loss::Vector { .. } => self.tally.vectors += 1,
            Loss::Vectors { count, .. } => self.tally.vectors += count,
            Loss::Association { .. } => self.tally.associations += 1,
            Loss::Associations { count, .. } => self.tally.associations += count,
            _ => {}
        }
        if self.named.len() < MOST_NAMED {
            self.named.push(loss);
        } else {
            self.unnamed += 1;
        }
    }

    /// How much was lost, to compare.
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// Whether deletions or whole transactions are lost, so that a version may be there that had ended.
    pub(super) fn may_revive(&self) -> bool {
        let revives =
            |loss: &Loss| matches!(loss, Loss::Deletions { .. } | Loss::Transactions { .. });
        self.unnamed > 0 || self.named.iter().any(revives)
    }

    pub(super) fn tell(self, report: &mut RepairReport) {
        report.lost = self.tally;
        report.losses = self.named;
        report.unnamed_losses = self.unnamed;
    }
}

impl RepairReport {
    /// Notes damage.
    pub(super) fn note(&mut self, error: Error) {
        if self.damage.len() < MOST_LISTED {
            self.damage.push(error);
        } else {
            self.unlisted_damage += 1;
        }
    }

    /// Whether everything of the damaged store's newest state was saved.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unnamed_losses == 0 && self.losses.iter().all(|loss| *loss == Loss::Past)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_lists_so_many_damaged_places_and_counts_the_others() {
        let mut report = RepairReport::default();
        for at in 0..MOST_LISTED as u64 + 3 {
            report.note(Error::corrupt(Path::new("seg"), at, "this", "that"));
        }
        assert_eq!((report.damage.len(), report.unlisted_damage), (MOST_LISTED, 3));
    }
}
