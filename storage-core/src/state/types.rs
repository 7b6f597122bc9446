//! The association types of a store: each name has a number, given at its first use, never reused.

use std::collections::HashMap;
use std::sync::Arc;

/// Names by number and numbers by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct TypeTable {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl TypeTable {
    pub(crate) fn from_names(names: impl IntoIterator<Item = String>) -> Self {
        let mut table = Self::default();
        for name in names {
            table.push(&name);
        }
        table
    }

    pub(crate) fn push(&mut self, name: &str) -> u32 {
        let number = self.names.len() as u32;
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The name of a number; `None` only for a number from damaged bytes.
    pub(crate) fn name(&self, number: u32) -> Option<&Arc<str>> {
        self.names.get(number as usize)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names.iter()
    }
}
