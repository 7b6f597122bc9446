//! A persistent stack: a push makes a new one that shares all below with the one before.
//!
//! States share what they remember of the past, and a commit adds to it without copying it.

use std::fmt;
use std::sync::Arc;

/// Newest first; cloning costs a reference.
pub(crate) struct Stack<T>(Option<Arc<Node<T>>>);

struct Node<T> {
    value: T,
    below: Stack<T>,
}

impl<T> Stack<T> {
    pub(crate) fn push(&mut self, value: T) {
        let below = Self(self.0.take());
        self.0 = Some(Arc::new(Node { value, below }));
    }

    /// The newest value, if no other stack shares it.
    pub(crate) fn top_mut(&mut self) -> Option<&mut T> {
        Arc::get_mut(self.0.as_mut()?).map(|node| &mut node.value)
    }

    /// Newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::successors(self.0.as_deref(), |node| node.below.0.as_deref())
            .map(|node| &node.value)
    }
}

impl<T: Clone> Stack<T> {
    /// The values down to the first that is not wanted, in the same order.
    pub(crate) fn take_while(&self, wanted: impl Fn(&T) -> bool) -> Self {
        let kept: Vec<&T> = self.iter().take_while(|value| wanted(value)).collect();
        kept.into_iter().rev().cloned().collect()
    }
}

impl<T> FromIterator<T> for Stack<T> {
    /// Pushes one value after the other: the last is the newest.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut stack = Self::default();
        values.into_iter().for_each(|value| stack.push(value));
        stack
    }
}

impl<T> Default for Stack<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Clone for Stack<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Stack<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.iter()).finish()
    }
}

impl<T> Drop for Stack<T> {
    fn drop(&mut self) {
        // One by one: a long stack would overflow the thread's, were each to drop the one below.
        let mut rest = self.0.take();
        while let Some(mut node) = rest.and_then(Arc::into_inner) {
            rest = node.below.0.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stack;

    #[test]
    fn stacks_share_what_lies_below() {
        let mut stack: Stack<u32> = (0..3).collect();
        let older = stack.clone();
        stack.push(3);
        assert_eq!(stack.iter().copied().collect::<Vec<_>>(), [3, 2, 1, 0]);
        assert_eq!(older.iter().copied().collect::<Vec<_>>(), [2, 1, 0]);
        assert_eq!(stack.top_mut(), Some(&mut 3));
        stack.clone_from(&older);
        assert_eq!(stack.top_mut(), None, "the other one shares it");
        let upper = older.take_while(|&value| value > 0);
        assert_eq!(upper.iter().copied().collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn a_long_stack_is_dropped_without_recursion() {
        drop((0..1_000_000).collect::<Stack<u32>>());
    }
}
