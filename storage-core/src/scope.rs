//! Who sees a version, and when: its namespace, the time it holds for, and when it expires.
//!
//! All three are fields of its record, so they come and go with it; a segment has columns of them for
//! those rows and edges that have any.

use crate::{Error, MAX_ID_BYTES, Result};

/// The namespace that concepts are in when none is named.
pub(crate) const DEFAULT_NAMESPACE: &str = "";

/// What a version says of its readers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scope<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) window: Window,
}

impl Scope<'_> {
    /// Everyone's, always.
    pub(crate) const OPEN: Self = Self { namespace: DEFAULT_NAMESPACE, window: Window::ALWAYS };
}

/// When a version holds, and until when it is kept; seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    /// Negative infinity: since ever.
    pub(crate) valid_from: f64,
    /// Infinity: for ever.
    pub(crate) valid_to: f64,
    /// Infinity: never.
    pub(crate) expires: f64,
}

impl Window {
    pub(crate) const ALWAYS: Self =
        Self { valid_from: f64::NEG_INFINITY, valid_to: f64::INFINITY, expires: f64::INFINITY };

    /// Of the fields of a concept or an association.
    pub(crate) fn new(from: Option<f64>, to: Option<f64>, expires: Option<f64>) -> Self {
        Self {
            valid_from: from.unwrap_or(f64::NEG_INFINITY),
            valid_to: to.unwrap_or(f64::INFINITY),
            expires: expires.unwrap_or(f64::INFINITY),
        }
    }

    pub(crate) fn holds_at(&self, time: f64) -> bool {
        self.valid_from <= time && time < self.valid_to
    }

    pub(crate) fn is_expired(&self, now: f64) -> bool {
        self.expires <= now
    }

    /// Refuses times that are not finite, and a window that no time is in.
    pub(crate) fn validate(&self) -> Result<()> {
        let ends = [
            ("valid_from", self.valid_from, f64::NEG_INFINITY),
            ("valid_to", self.valid_to, f64::INFINITY),
            ("expires", self.expires, f64::INFINITY),
        ];
        for (name, time, none) in ends {
            if !time.is_finite() && time.to_bits() != none.to_bits() {
                return Err(Error::InvalidArgument {
                    name,
                    expected: "a finite number of seconds since the epoch, or none".to_owned(),
                    found: time.to_string(),
                });
            }
        }
        if self.valid_from < self.valid_to {
            return Ok(());
        }
        Err(Error::InvalidArgument {
            name: "valid_to",
            expected: format!("after valid_from, {}", self.valid_from),
            found: self.valid_to.to_string(),
        })
    }
}

/// Refuses a name that no namespace has.
pub(crate) fn validate_namespace(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_ID_BYTES {
        return Err(Error::InvalidArgument {
            name: "namespace",
            expected: format!("1 to {MAX_ID_BYTES} bytes of UTF-8"),
            found: format!("{} bytes", name.len()),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_from_its_start_to_before_its_end() {
        let window = Window::new(Some(1.0), Some(2.0), None);
        assert!(!window.holds_at(0.9) && window.holds_at(1.0) && window.holds_at(1.9));
        assert!(!window.holds_at(2.0));
        assert!(Window::ALWAYS.holds_at(-1e300) && !Window::ALWAYS.is_expired(1e300));
        assert!(Window::new(None, None, Some(5.0)).is_expired(5.0));
    }

    #[test]
    fn windows_without_a_time_in_them_are_refused() {
        for (from, to) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::NAN)] {
            assert!(Window::new(Some(from), Some(to), None).validate().is_err());
        }
        assert!(Window::new(Some(f64::INFINITY), None, None).validate().is_err());
        assert!(Window::new(None, Some(f64::NEG_INFINITY), None).validate().is_err());
        assert!(Window::new(None, None, Some(f64::NAN)).validate().is_err());
        assert!(Window::ALWAYS.validate().is_ok());
    }
}
