//! The two locks of a store: that of its writers, and the lease of flush and compaction.
//!
//! Invariant: an operating system's lock is the process's; among a handle's threads, turns decide who has
//! it. Whoever waits for either waits no longer than the handle's timeout, and can be interrupted.

use std::path::Path;
use std::time::Duration;

use super::disk::Disk;
use crate::control::Control;
use crate::fs::{Access, File, FileSystem};
use crate::sync::{self, AtomicBool, Condvar, Instant, Mutex, MutexGuard, Ordering};
use crate::{Error, Result, interrupt};

/// How long a thread waits for its turn before it looks whether it was interrupted.
const TURN_PAUSE: Duration = Duration::from_millis(50);
/// How long the first pause is of one that waits for another process; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_micros(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);
/// How long one waits for the lease before it tries again.
const LEASE_PAUSE: Duration = Duration::from_millis(2);

/// The files that carry the locks.
#[derive(Debug)]
pub(super) struct Locks {
    /// `LOCK`, whose OS lock is the write lock.
    write: Box<dyn File>,
    /// The write lock among this handle's threads. It is taken before [`super::Writer`], so that no reader waits
    /// for another process.
    turns: Turns,
    /// Whether the write lock is kept for the handle's life.
    kept: AtomicBool,
    /// `LEASE`, whose OS lock is that of flush and compaction.
    lease: Box<dyn File>,
    /// The lease among this handle's threads.
    leased: Mutex<()>,
}

impl Locks {
    pub(super) fn open(fs: &dyn FileSystem, dir: &Path) -> Result<Self> {
        Ok(Self {
            write: open_or_create(fs, &dir.join("LOCK"))?,
            turns: Turns::default(),
            kept: AtomicBool::new(false),
            lease: open_or_create(fs, &dir.join("LEASE"))?,
            leased: Mutex::new(()),
        })
    }
}

/// Lets one thread through at a time; unlike a mutex, for those who do not wait for ever.
#[derive(Debug, Default)]
struct Turns {
    taken: Mutex<bool>,
    given_back: Condvar,
}

/// A thread's turn; given back when dropped.
#[derive(Debug)]
struct Turn<'a>(&'a Turns);

impl Turns {
    fn try_take(&self) -> Option<Turn<'_>> {
        let was_taken = std::mem::replace(&mut *sync::lock(&self.taken), true);
        // Made only if it is this thread's: dropping one gives it back.
        (!was_taken).then(|| Turn(self))
    }

    /// Waits for a turn as long as `go_on` allows.
    fn take(&self, mut go_on: impl FnMut() -> Result<()>) -> Result<Turn<'_>> {
        let mut taken = sync::lock(&self.taken);
        while *taken {
            // Looked at before each wait, so that no wait begins after the end.
            go_on()?;
            taken = sync::wait_timeout(&self.given_back, &self.taken, taken, TURN_PAUSE);
        }
        *taken = true;
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *sync::lock(&self.0.taken) = false;
        self.0.given_back.notify_one();
    }
}

/// Holds an OS lock; gives it back when dropped.
#[derive(Debug)]
struct OsLock<'a>(&'a dyn File);

impl Drop for OsLock<'_> {
    fn drop(&mut self) {
        // When the system can't release it, the lock goes with the handle; until then others get a
        // typed error that names this process.
        self.0.unlock().ok();
    }
}

/// Holds the write lock; gives it back when dropped, to other processes first.
#[derive(Debug)]
pub(super) struct WriteLock<'a> {
    /// `None` where the handle keeps it.
    process: Option<OsLock<'a>>,
    _turn: Turn<'a>,
}

/// Holds the lease of flush and compaction; gives it back when dropped, to other processes first.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    _process: OsLock<'a>,
    _thread: MutexGuard<'a, ()>,
}

impl Disk {
    fn locks(&self) -> Result<&Locks> {
        self.locks.as_ref().ok_or_else(|| Error::ReadOnly { path: self.dir.clone() })
    }

    /// Takes the write lock, waiting for at most the timeout.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Interrupted`], [`Error::ReadOnly`], [`Error::Io`].
    pub(super) fn write_lock(&self) -> Result<WriteLock<'_>> {
        let locks = self.locks()?;
        let mut wait = Wait::new(self, Control::writer_pid);
        let turn = locks.turns.take(|| wait.go_on())?;
        if locks.kept.load(Ordering::Acquire) {
            return Ok(WriteLock { process: None, _turn: turn });
        }
        let path = self.dir.join("LOCK");
        let mut pause = FIRST_PAUSE;
        while !locks.write.try_lock().map_err(|e| Error::io("lock", &path, e))? {
            wait.go_on()?;
            sync::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.control.set_writer_pid(std::process::id());
        Ok(WriteLock { process: Some(OsLock(&*locks.write)), _turn: turn })
    }

    /// Takes the write lock if no one has it.
    pub(super) fn try_write_lock(&self) -> Option<WriteLock<'_>> {
        let locks = self.locks.as_ref()?;
        let turn = locks.turns.try_take()?;
        if locks.kept.load(Ordering::Acquire) {
            return Some(WriteLock { process: None, _turn: turn });
        }
        if !locks.write.try_lock().is_ok_and(|taken| taken) {
            return None;
        }
        self.control.set_writer_pid(std::process::id());
        Some(WriteLock { process: Some(OsLock(&*locks.write)), _turn: turn })
    }

    /// Takes the write lock for the handle's life.
    pub(super) fn keep_write_lock(&self) -> Result<()> {
        let WriteLock { process, _turn } = self.write_lock()?;
        std::mem::forget(process);
        self.locks()?.kept.store(true, Ordering::Release);
        Ok(())
    }

    /// Gives back a write lock that was kept.
    pub(super) fn release_kept_lock(&self) {
        let Some(locks) = &self.locks else { return };
        if !locks.kept.load(Ordering::Acquire) {
            return;
        }
        // A thread may be writing under it, a marker of what is durable, say.
        let Ok(_turn) = locks.turns.take(|| Ok(())) else { return };
        if locks.kept.swap(false, Ordering::AcqRel) {
            drop(OsLock(&*locks.write));
        }
    }

    /// Takes the lease of flush and compaction, waiting for at most the timeout.
    ///
    /// # Errors
    /// As [`Self::write_lock`].
    pub(super) fn lease(&self) -> Result<Lease<'_>> {
        self.locks()?;
        let mut wait = Wait::new(self, Control::lease_pid);
        loop {
            if let Some(lease) = self.try_lease()? {
                return Ok(lease);
            }
            wait.go_on()?;
            sync::sleep(LEASE_PAUSE);
        }
    }

    /// Takes the lease of flush and compaction, unless another thread or process has it.
    pub(super) fn try_lease(&self) -> Result<Option<Lease<'_>>> {
        let Some(locks) = &self.locks else { return Ok(None) };
        let Some(thread) = sync::try_lock(&locks.leased) else { return Ok(None) };
        let path = self.dir.join("LEASE");
        if !locks.lease.try_lock().map_err(|e| Error::io("lock", &path, e))? {
            return Ok(None);
        }
        self.control.set_lease_pid(std::process::id());
        Ok(Some(Lease { _process: OsLock(&*locks.lease), _thread: thread }))
    }
}

/// A wait for a lock, of at most the handle's timeout.
struct Wait<'a> {
    disk: &'a Disk,
    /// Who has it.
    holder: fn(&Control) -> u32,
    /// Set when the wait begins, so that who need not wait need not look at the clock.
    until: Option<Instant>,
}

impl<'a> Wait<'a> {
    fn new(disk: &'a Disk, holder: fn(&Control) -> u32) -> Self {
        Self { disk, holder, until: None }
    }

    fn go_on(&mut self) -> Result<()> {
        let now = Instant::now();
        if now >= *self.until.get_or_insert_with(|| now + self.disk.timeout) {
            let pid = (self.holder)(&self.disk.control);
            return Err(Error::Locked { path: self.disk.dir.clone(), pid });
        }
        interrupt::check()
    }
}

fn open_or_create(fs: &dyn FileSystem, path: &Path) -> Result<Box<dyn File>> {
    loop {
        match fs.open(path, Access::ReadWrite) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            outcome => return outcome.map_err(|e| Error::io("open", path, e)),
        }
        match fs.create_new(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            outcome => return outcome.map_err(|e| Error::io("create", path, e)),
        }
    }
}
