//! How a store is opened: what is fixed at its creation, and what each handle chooses.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vector_kernel::Metric;

use crate::{Error, Result};

/// What a call promises when it returns: the name says what can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Survives power loss.
    Sync,
    /// In the log file: survives the death of the process; survives power loss once the interval has
    /// passed.
    Interval(Duration),
    /// In the log file: survives the death of the process; survives power loss only after a later `save`,
    /// `Sync` commit or close. For loads that can be repeated.
    Buffered,
}

impl Default for Durability {
    fn default() -> Self {
        Self::Interval(Duration::from_millis(50))
    }
}

/// How vectors are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VectorStorage {
    /// 32-bit floats: vectors come back bit-exact.
    #[default]
    F32,
    /// 16-bit floats (IEEE 754 binary16): half the bytes, components rounded to 11 bits.
    F16,
}

impl VectorStorage {
    /// Bytes of one component.
    #[must_use]
    pub const fn component_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// The option's name: `"f32"` or `"f16"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}

/// What is fixed when a store is created; kept in its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreConfig {
    /// Components of every vector, 1 to 65,535.
    pub vector_dimension: usize,
    /// `"cosine"`, `"dot"` or `"euclidean"`.
    #[serde(with = "metric_name")]
    pub metric: Metric,
    /// How vectors are kept.
    pub vector_storage: VectorStorage,
    /// The analyzer of the word index: `"english"` or `"simple"`.
    pub analyzer: String,
    /// Whether contents of 256 bytes and more are compressed (LZ4) where that saves an eighth.
    pub use_compression: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            vector_dimension: 384,
            metric: Metric::Cosine,
            vector_storage: VectorStorage::F32,
            analyzer: "english".to_owned(),
            use_compression: true,
        }
    }
}

impl StoreConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        if !(1..=65_535).contains(&self.vector_dimension) {
            return Err(Error::InvalidArgument {
                name: "vector_dimension",
                expected: "1 to 65535".to_owned(),
                found: self.vector_dimension.to_string(),
            });
        }
        if text_index::Analyzer::by_name(&self.analyzer).is_none() {
            return Err(Error::InvalidArgument {
                name: "analyzer",
                expected: "\"english\" or \"simple\"".to_owned(),
                found: format!("{:?}", self.analyzer),
            });
        }
        Ok(())
    }
}

/// What an opening asks of a store's [`StoreConfig`]; `None`: as the store has it, or the default of a
/// new one.
///
/// ```
/// use storage_core::{ConfigRequest, StoreConfig};
///
/// let request = ConfigRequest { vector_dimension: Some(3), ..ConfigRequest::default() };
/// assert_eq!(request.of_new(), StoreConfig { vector_dimension: 3, ..StoreConfig::default() });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigRequest {
    /// See [`StoreConfig::vector_dimension`].
    pub vector_dimension: Option<usize>,
    /// See [`StoreConfig::metric`].
    pub metric: Option<Metric>,
    /// See [`StoreConfig::vector_storage`].
    pub vector_storage: Option<VectorStorage>,
    /// See [`StoreConfig::analyzer`].
    pub analyzer: Option<String>,
    /// See [`StoreConfig::use_compression`]. It may differ from what the store has: it governs what is
    /// written from now on.
    pub use_compression: Option<bool>,
}

impl From<StoreConfig> for ConfigRequest {
    /// Asks for all of it.
    fn from(config: StoreConfig) -> Self {
        Self {
            vector_dimension: Some(config.vector_dimension),
            metric: Some(config.metric),
            vector_storage: Some(config.vector_storage),
            analyzer: Some(config.analyzer),
            use_compression: Some(config.use_compression),
        }
    }
}

impl ConfigRequest {
    /// What a store that is made by this request has.
    #[must_use]
    pub fn of_new(&self) -> StoreConfig {
        self.over(&StoreConfig::default())
    }

    /// What is asked, and the rest from `base`.
    fn over(&self, base: &StoreConfig) -> StoreConfig {
        StoreConfig {
            vector_dimension: self.vector_dimension.unwrap_or(base.vector_dimension),
            metric: self.metric.unwrap_or(base.metric),
            vector_storage: self.vector_storage.unwrap_or(base.vector_storage),
            analyzer: self.analyzer.clone().unwrap_or_else(|| base.analyzer.clone()),
            use_compression: self.use_compression.unwrap_or(base.use_compression),
        }
    }

    /// What a handle on a store goes by; refuses another value of what is fixed.
    pub(crate) fn of_stored(&self, stored: &StoreConfig) -> Result<StoreConfig> {
        let mismatch = |name, stored: &dyn ToString, given: &dyn ToString| {
            Err(Error::OptionMismatch {
                name,
                stored: stored.to_string(),
                given: given.to_string(),
            })
        };
        let given = self.over(stored);
        if given.vector_dimension != stored.vector_dimension {
            return mismatch("vector_dimension", &stored.vector_dimension, &given.vector_dimension);
        }
        if given.metric != stored.metric {
            return mismatch("metric", &stored.metric.as_str(), &given.metric.as_str());
        }
        if given.vector_storage != stored.vector_storage {
            let (stored, given) = (stored.vector_storage, given.vector_storage);
            return mismatch("vector_storage", &stored.as_str(), &given.as_str());
        }
        if given.analyzer != stored.analyzer {
            return mismatch("analyzer", &stored.analyzer, &given.analyzer);
        }
        Ok(given)
    }
}

/// How long versions that ended are kept, so that the past can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retention {
    /// Not at all: what is replaced or deleted is gone.
    #[default]
    None,
    /// Every state of the last so long can be read.
    For(Duration),
    /// Every state since it was set can be read.
    Forever,
}

/// How one handle opens a store.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one option, named at every use")]
pub struct OpenOptions {
    /// What is fixed at creation: what is asked of it must agree with a store that exists.
    pub config: ConfigRequest,
    /// Make the store when there is none.
    pub create: bool,
    /// Never write; works on a read-only file system.
    pub read_only: bool,
    /// Keep the write lock for the handle's life: saves a system call a commit, shuts others out.
    pub exclusive: bool,
    /// Whether the store may be on a network file system: then one machine alone may have it open.
    pub allow_network: bool,
    /// How long to wait for the write lock.
    pub timeout: Duration,
    /// What a single call outside a transaction promises.
    pub durability: Durability,
    /// Bytes of log after which the tail is flushed to a segment.
    pub flush_bytes: u64,
    /// Whether a thread flushes and compacts by itself.
    pub background: bool,
    /// How long the past is kept, from now on and by every handle; `None`: as the store has it, which is
    /// [`Retention::None`] at first.
    pub retention: Option<Retention>,
    /// The store came from elsewhere: read it to the heap, verify all of it first, and never write; see
    /// [`crate::GraphStore::open_untrusted`].
    pub untrusted: bool,
    /// Bytes that an untrusted store's files may have together, with what their contents unpack to.
    pub max_untrusted_bytes: u64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            config: ConfigRequest::default(),
            create: true,
            read_only: false,
            exclusive: false,
            allow_network: false,
            timeout: Duration::from_secs(5),
            durability: Durability::default(),
            flush_bytes: 4 << 20,
            background: true,
            retention: None,
            untrusted: false,
            max_untrusted_bytes: 4 << 30,
        }
    }
}

mod metric_name {
    //! A metric as its name, in the manifest.

    use serde::{Deserialize, Deserializer, Serializer};
    use vector_kernel::Metric;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(metric: &Metric, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(metric.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Metric, D::Error> {
        let name = String::deserialize(input)?;
        name.parse().map_err(|_| serde::de::Error::custom(format!("unknown metric {name:?}")))
    }
}
