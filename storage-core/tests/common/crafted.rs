//! Segments changed by someone who puts the checksums right again, and processes with little memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

/// Runs a test's body in a process of its own that may use 4 GiB of addresses.
pub(crate) fn within_limits(name: &str, body: impl FnOnce()) {
    const LIMITED: &str = "SUTRA_TEST_LIMITED";
    if cfg!(not(target_os = "linux")) || std::env::var_os(LIMITED).is_some() {
        return body();
    }
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 4194304 && exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(LIMITED, "yes")
        .output()
        .unwrap();
    let [said, errors] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{said}\n{errors}");
    for line in errors.lines().filter(|line| line.starts_with("result: ")) {
        eprintln!("{line}");
    }
}

/// The bytes of a segment, changed by someone who puts the checksums right again.
#[derive(Clone)]
pub(crate) struct Crafted(pub(crate) Vec<u8>);

pub(crate) const GRAPH: u32 = 14;
pub(crate) const TEXT: u32 = 13;

impl Crafted {
    pub(crate) fn number(&self, at: usize, bytes: usize) -> usize {
        let bytes = self.0.get(at..at + bytes).unwrap_or_default();
        bytes.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
    }

    pub(crate) fn set(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn tail(&self) -> usize {
        self.0.len() - 64
    }

    /// Where the entries of the table are.
    pub(crate) fn entries(&self) -> impl Iterator<Item = usize> {
        (self.number(self.tail() + 24, 8)..self.tail()).step_by(32)
    }

    pub(crate) fn entry(&self, kind: u32) -> usize {
        self.entries()
            .find(|&at| self.number(at, 4) == kind as usize)
            .expect("a section of the kind")
    }

    pub(crate) fn section(&self, kind: u32) -> std::ops::Range<usize> {
        let entry = self.entry(kind);
        let start = self.number(entry + 8, 8);
        start..start + self.number(entry + 16, 8)
    }

    pub(crate) fn shorten(&mut self, kind: u32, by: usize) {
        let at = self.entry(kind) + 16;
        let len = self.number(at, 8) - by;
        self.set(at, &(len as u64).to_le_bytes());
    }

    /// Makes all checksums those of the bytes, as far as the bytes say where they are.
    pub(crate) fn seal(mut self) -> Vec<u8> {
        let checksums = self.number(self.tail() + 16, 8);
        let table = self.number(self.tail() + 24, 8);
        let crc = |bytes: &[u8]| crc32c::crc32c(bytes).to_le_bytes();
        for entry in self.entries().take(64).collect::<Vec<_>>() {
            let start = self.number(entry + 8, 8);
            let end = start.saturating_add(self.number(entry + 16, 8));
            let first = self.number(entry + 24, 8);
            let Some(section) = self.0.get(start..end) else { continue };
            let blocks: Vec<[u8; 4]> = section.chunks(16 << 10).map(crc).collect();
            for (at, block) in (first..).zip(blocks) {
                let at = at.saturating_mul(4).saturating_add(checksums);
                if at.saturating_add(4) <= table.min(self.tail()) {
                    self.set(at, &block);
                }
            }
        }
        self.set(56, &crc(&self.0[..56]));
        let tail = self.tail();
        if let Some(outline) = self.0.get(checksums..tail + 52) {
            self.set(tail + 52, &crc(outline));
        }
        self.0
    }
}
