//! Memory maps: the crate's only unsafe code.
//!
//! [`FileMap`] maps a write-once file read-only; [`SharedPage`] maps the one page of counters that
//! processes share. Invariant: the store never truncates or rewrites a file that it maps read-only,
//! and touches a shared page through atomics alone.

use std::fs::File;
use std::io;

use crate::sync::AtomicU64;

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

/// Bytes of a shared page.
pub(super) const PAGE_BYTES: usize = 4096;
/// Counters in a shared page: its first 64 bytes. The rest is zeros that no one reads.
pub(super) const PAGE_WORDS: usize = 8;

/// One 4 KiB page whose first words are counters: shared by all processes that map the same file, or
/// private.
///
/// Its content is advisory: any value may appear in it, at any time.
#[derive(Debug)]
pub(crate) struct SharedPage(Words);

#[derive(Debug)]
enum Words {
    Mapped(memmap2::MmapRaw),
    Private([AtomicU64; PAGE_WORDS]),
}

impl SharedPage {
    /// Maps the first 4 KiB of a file, shared and writable.
    ///
    /// The caller has written the bytes behind the counters through the file, so that the page is
    /// backed: the first store into a hole would need space, and end the process where there is none.
    pub(super) fn map(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() < PAGE_BYTES as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let map = memmap2::MmapOptions::new().len(PAGE_BYTES).map_raw(file)?;
        Ok(Self(Words::Mapped(map)))
    }

    /// A page of zeros that no other process sees.
    pub(crate) fn private() -> Self {
        Self(Words::Private(Default::default()))
    }

    /// The counter at `index`.
    ///
    /// # Panics
    /// When `index` is not below [`PAGE_WORDS`].
    pub(crate) fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < PAGE_WORDS, "a shared page has {PAGE_WORDS} counters, not {index}");
        match &self.0 {
            Words::Private(words) => &words[index],
            #[cfg(modelled)]
            Words::Mapped(map) => unreachable!("{map:?}: checkers know no memory of others"),
            #[cfg(not(modelled))]
            Words::Mapped(map) => {
                #[expect(clippy::cast_ptr_alignment, reason = "a map starts on a page")]
                let base = map.as_mut_ptr().cast::<u64>();
                #[expect(unsafe_code, reason = "the page is memory that other processes write")]
                // SAFETY: bounds: `index` is below PAGE_WORDS, so the word lies within the first 64 of
                // the map's PAGE_BYTES bytes, which are one allocation; the offset does not overflow.
                let word = unsafe { base.add(index) };
                // Its memory is backed: the file was PAGE_BYTES long when it was mapped, and the store never
                // shortens it; its blocks were written, so a store into them asks for no space. (A foreign
                // program that truncates it, or a file system that copies a block before it changes it and
                // has no room, ends the process by a signal; no memory is misread.)
                #[expect(unsafe_code, reason = "the page is memory that other processes write")]
                // SAFETY: alignment: a map starts on a page, and `index` counts words of 8 bytes.
                // Initialisation: a file's bytes always are, and any bits are a u64. Validity: the map is
                // readable, writable, backed, and lives as long as `self`, whose borrow the result keeps.
                // Aliasing: these 64 bytes are reached by atomics of this size alone, in all processes.
                unsafe {
                    AtomicU64::from_ptr(word)
                }
            }
        }
    }
}
