//! Memory maps: the crate's only unsafe code.
//!
//! [`FileMap`] maps a write-once file read-only; [`SharedPage`] maps the one page of counters that
//! processes share. Invariant: the store never truncates or rewrites a file that it maps read-only,
//! and touches a shared page through atomics alone.

use std::fs::File;
use std::io;
use std::sync::atomic::AtomicU64;

/// A read-only map of a file that is never written again.
///
/// What a map can't promise: when the disk fails to deliver a page, the process gets SIGBUS, and
/// another program that truncates the file takes the bytes away. Opening a store untrusted reads it
/// to the heap instead.
#[derive(Debug)]
pub(super) struct FileMap(Option<memmap2::Mmap>);

impl FileMap {
    /// Maps the whole file; an empty file gives no bytes and no map.
    pub(super) fn open(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self(None));
        }
        #[expect(unsafe_code, reason = "mapping a file is what this module is for")]
        // SAFETY: bounds: the length is the file's own at this moment. Initialisation: a file's
        // bytes are always initialised. Alignment: a map starts on a page. Aliasing: the store writes
        // a mapped file only before its name is published and never truncates it, so no one changes
        // the bytes; a foreign program that does so is outside what a map can promise (see above).
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Self(Some(map)))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or(&[])
    }
}

/// The number of counters in a shared page.
pub(crate) const PAGE_WORDS: usize = 512;

/// One 4 KiB page of 64-bit counters: shared by all processes that map the same file, or private.
///
/// Its content is advisory: any value may appear in it, at any time.
#[derive(Debug)]
pub(crate) struct SharedPage(Words);

#[derive(Debug)]
enum Words {
    Mapped(memmap2::MmapRaw),
    Private(Box<[AtomicU64]>),
}

impl SharedPage {
    /// Maps the first 4 KiB of a file, shared and writable; grows the file to that with zeros.
    pub(super) fn map(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() < (PAGE_WORDS * 8) as u64 {
            file.set_len((PAGE_WORDS * 8) as u64)?;
        }
        let map = memmap2::MmapOptions::new().len(PAGE_WORDS * 8).map_raw(file)?;
        Ok(Self(Words::Mapped(map)))
    }

    /// A page of zeros that no other process sees.
    pub(crate) fn private() -> Self {
        Self(Words::Private((0..PAGE_WORDS).map(|_| AtomicU64::new(0)).collect()))
    }

    /// The counter at `index`.
    ///
    /// # Panics
    /// When `index` is not below [`PAGE_WORDS`].
    pub(crate) fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < PAGE_WORDS, "a shared page has {PAGE_WORDS} words, not {index}");
        match &self.0 {
            Words::Private(words) => &words[index],
            Words::Mapped(map) => {
                #[expect(clippy::cast_ptr_alignment, reason = "a map starts on a page")]
                let base = map.as_mut_ptr().cast::<AtomicU64>();
                #[expect(unsafe_code, reason = "the page is memory that other processes write")]
                // SAFETY: bounds: `index` is below PAGE_WORDS, and the map is PAGE_WORDS * 8 bytes.
                let word = unsafe { base.add(index) };
                #[expect(unsafe_code, reason = "the page is memory that other processes write")]
                // SAFETY: alignment: a map starts on a page, and `index` counts 8-byte words.
                // Initialisation: file bytes, and any bits are a u64. Aliasing: everyone, in every
                // process, reaches these bytes through atomics of this size alone; the map lives as
                // long as `self`. The file is only ever grown, so the page stays backed.
                unsafe {
                    &*word
                }
            }
        }
    }
}
