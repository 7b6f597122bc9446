//! A test that runs itself again as a child process, which says what it has done line by line.
//!
//! The child's lines go through a pipe, which keeps what was written when the child is killed.

#![allow(dead_code, reason = "each test file uses its own share of the child")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// Begins each line of a child's report, to tell it from what the test harness prints.
const MARK: &str = "child says ";

/// The environment variable that carries a child's orders; without it, a child's test does nothing.
const ORDERS: &str = "SUTRA_TEST_CHILD";

/// A child process and its report.
pub(crate) struct TestChild {
    process: Process,
    report: Report,
}

/// A child process, killed when it is dropped.
pub(crate) struct Process(Child);

/// What a child says, to be read by whoever waits for it.
pub(crate) struct Report(BufReader<ChildStdout>);

impl TestChild {
    /// Runs the test `name` of this very binary in a process of its own.
    pub(crate) fn start(name: &str, orders: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("a test has a binary"))
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(ORDERS, orders)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a test binary starts");
        let report = Report(BufReader::new(process.stdout.take().expect("its output is piped")));
        Self { process: Process(process), report }
    }

    /// The process and its report, for different threads.
    pub(crate) fn split(self) -> (Process, Report) {
        (self.process, self.report)
    }

    /// The next line of the report; `None` once the child has ended and all was read.
    pub(crate) fn next_line(&mut self) -> Option<String> {
        self.report.next_line()
    }

    /// Ends the child by SIGKILL (or what the platform has in its place).
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Waits for the child's end; whether its test passed.
    pub(crate) fn passed(&mut self) -> bool {
        self.process.outcome().success()
    }
}

impl Process {
    /// As [`TestChild::kill`].
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("a child can be killed");
        self.outcome();
    }

    /// Waits for the process's end; how it ended.
    pub(crate) fn outcome(&mut self) -> ExitStatus {
        self.0.wait().expect("a child can be waited for")
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already: then there is no one to kill.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Report {
    /// As [`TestChild::next_line`].
    pub(crate) fn next_line(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.0.read_line(&mut line).expect("a pipe reads");
            if read == 0 || !line.ends_with('\n') {
                return None; // A line that the kill cut off was never said.
            }
            if let Some((_, said)) = line.trim_end().split_once(MARK) {
                return Some(said.to_owned());
            }
        }
    }
}

/// The orders of a child; `None` in the parent.
pub(crate) fn orders() -> Option<String> {
    std::env::var(ORDERS).ok()
}

/// Says a line to the parent, at once.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // One write a line: a kill then leaves whole lines.
    let line = format!("\n{MARK}{line}\n");
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(1); // No one listens any more.
    }
}
