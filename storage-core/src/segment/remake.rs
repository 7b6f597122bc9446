//! Indexes that follow from a segment's rows, made anew in memory where their bytes are damaged.
//!
//! So a broken index is no broken store: reads go on, `stats()` names it, and the next compaction of the
//! segment writes a sound one. Invariant: what is made is what a sound file has; what can't be made from
//! sound bytes alone stays an error.

use std::sync::atomic::Ordering;

use text_index::{Analyzer, TextBuilder};
use zerocopy::IntoBytes;

use super::format::Kind;
use super::id_table::{self, IdHasher};
use super::scopes::{Gathered, Names, gather};
use super::{Segment, build, decode_vector};
use crate::fs::ByteView;
use crate::{Error, Result, record};

impl Segment {
    /// What was made in place of a section's bytes.
    pub(super) fn remade(&self, kind: Kind) -> Option<&ByteView> {
        self.remade[kind.index()].get()
    }

    /// A section made anew in place of its damaged bytes; the damage, where that can't be.
    pub(super) fn remake(&self, kind: Kind, damage: Error) -> Result<&ByteView> {
        match self.make(kind) {
            Ok(Some(made)) => {
                let made = self.remade[kind.index()].get_or_init(|| made);
                self.is_broken.store(true, Ordering::Relaxed);
                Ok(made)
            }
            // Whatever is in the way is damage, too, and reported where it is read.
            Ok(None) | Err(_) => Err(damage),
        }
    }

    /// The sections whose bytes are damaged, and which are made anew in memory, by name; and the index for
    /// approximate search where it is damaged, in the place of which vectors are scanned.
    pub(crate) fn set_aside(&self) -> impl Iterator<Item = &'static str> {
        let remade = Kind::ALL.into_iter().filter(|&kind| self.remade(kind).is_some());
        let ann = self.ann().filter(|ann| ann.is_broken()).map(|_| "vector index");
        remade.map(Kind::name).chain(ann)
    }

    /// Whether an index is damaged, as far as it was read.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    /// Whether an index is damaged, and the segment was not tried to be written anew.
    pub(crate) fn wants_mending(&self) -> bool {
        self.is_broken() && !self.mending_tried.load(Ordering::Relaxed)
    }

    /// Whether this is the first try to write the segment anew.
    pub(crate) fn try_mending(&self) -> bool {
        !self.mending_tried.swap(true, Ordering::Relaxed)
    }

    /// The bytes of a section that follows from others; `None` for any other.
    pub(super) fn make(&self, kind: Kind) -> Result<Option<ByteView>> {
        let bytes = match kind {
            Kind::CreatedOrder => {
                let created = self.created()?;
                let mut order: Vec<u32> = (0..self.rows()).collect();
                let time = |row: u32| created[row as usize];
                order.sort_unstable_by(|&a, &b| time(a).total_cmp(&time(b)).then(a.cmp(&b)));
                ByteView::from_bytes(order.as_bytes())
            }
            Kind::IdTable => {
                let hasher = IdHasher::new(&self.identity.store);
                let hash = |row: u32| -> Result<u64> {
                    let scope = record::scope(self.record(row)?).map_err(build::bad_record)?;
                    Ok(hasher.hash(scope.namespace, self.concept_id(row)?))
                };
                let hashes = (0..self.rows()).map(hash).collect::<Result<Vec<u64>>>()?;
                ByteView::from_bytes(id_table::build(&hashes).as_bytes())
            }
            Kind::InverseNorms => {
                let vectors = self.stored_bytes_at(Kind::Vectors, 0..self.vectors_len())?;
                let row_bytes = self.dim * self.storage.component_bytes();
                let norm = |row| vector_kernel::inverse_norm(&decode_vector(row, self.storage));
                let norms: Vec<f32> = vectors.chunks_exact(row_bytes).map(norm).collect();
                ByteView::from_bytes(norms.as_bytes())
            }
            Kind::Text => ByteView::from_bytes(&self.make_text()?),
            Kind::RowWindows => ByteView::from_bytes(&self.gather_scopes()?.1.windows),
            Kind::EdgeWindows => ByteView::from_bytes(&self.gather_scopes()?.2.windows),
            Kind::Namespaces => ByteView::from_bytes(&self.gather_scopes()?.0),
            Kind::RowNamespaces => ByteView::from_bytes(self.gather_scopes()?.1.column.as_bytes()),
            Kind::EdgeNamespaces => ByteView::from_bytes(self.gather_scopes()?.2.column.as_bytes()),
            _ => return Ok(None),
        };
        Ok(Some(bytes))
    }

    pub(super) fn make_text(&self) -> Result<Vec<u8>> {
        let analyzer = Analyzer::by_name(self.analyzer)
            .expect("a store with an analyzer that is not known does not open");
        let mut text = TextBuilder::new();
        for row in 0..self.rows() {
            let content = record::content(self.record(row)?).map_err(build::bad_record)?;
            if !content.is_empty() {
                text.add(row, &content, &analyzer).map_err(build::text_failure)?;
            }
        }
        text.finish(self.rows()).map_err(build::text_failure)
    }

    /// The names of namespaces, and what belongs to rows and to edges.
    pub(super) fn gather_scopes(&self) -> Result<(Vec<u8>, Gathered, Gathered)> {
        let mut names = Names::default();
        let row = |row: usize| self.record(row as u32);
        let rows = gather(self.rows() as usize, row, &mut names)?;
        let edge = |edge: usize| self.edge_record(edge as u32);
        let edges = gather(self.edges() as usize, edge, &mut names)?;
        Ok((names.encode(), rows, edges))
    }
}
