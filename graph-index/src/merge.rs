//! Merging sorted streams into one.
//!
//! Invariant: the merged stream is ordered as its inputs are, and equal keys keep the inputs' order,
//! so it doesn't depend on how items are spread over the inputs.

use crate::associations::{EdgeId, Hop, LiveEdge};

/// An item with a place in the order of its stream.
pub(crate) trait Ordered {
    type Key: Ord + Copy;
    fn order(&self) -> Self::Key;
}

impl Ordered for Hop {
    type Key = ((u32, u32), EdgeId);
    fn order(&self) -> Self::Key {
        ((self.neighbor, self.type_id), self.id)
    }
}

impl Ordered for LiveEdge {
    type Key = ((u32, u32, u32), EdgeId);
    fn order(&self) -> Self::Key {
        (self.key(), self.id)
    }
}

/// The merge of any number of streams; one stream costs no more than itself, and no allocation.
#[derive(Debug, Clone)]
pub(crate) enum Merge<I: Iterator> {
    One(I),
    /// Streams that are not exhausted, each behind its next item.
    Many(Vec<(I::Item, I)>),
}

impl<I: Iterator> Merge<I> {
    pub(crate) fn new(mut streams: impl Iterator<Item = I>) -> Self {
        let Some(first) = streams.next() else { return Self::Many(Vec::new()) };
        let Some(second) = streams.next() else { return Self::One(first) };
        let all = [first, second].into_iter().chain(streams);
        Self::Many(all.filter_map(|mut stream| Some((stream.next()?, stream))).collect())
    }
}

impl<I> Iterator for Merge<I>
where
    I: Iterator,
    I::Item: Ordered,
{
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        match self {
            Self::One(stream) => stream.next(),
            Self::Many(streams) => next_of_many(streams),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::One(stream) => stream.size_hint(),
            Self::Many(streams) => (streams.len(), None),
        }
    }
}

/// Few streams hold items for one node, so a scan of their heads beats a heap.
fn next_of_many<I>(streams: &mut Vec<(I::Item, I)>) -> Option<I::Item>
where
    I: Iterator,
    I::Item: Ordered,
{
    let least = (0..streams.len()).min_by_key(|&stream| streams[stream].0.order())?;
    let (head, stream) = &mut streams[least];
    match stream.next() {
        Some(next) => Some(std::mem::replace(head, next)),
        None => Some(streams.swap_remove(least).0),
    }
}
