//! Whether a directory is on a network file system, where locks and shared maps of several machines do not
//! work together.

use std::io;
use std::path::Path;

/// The kind of network file system that a path is on; `None` for a local one, and where it can't be told.
#[cfg(target_os = "linux")]
pub(super) fn kind(path: &Path) -> io::Result<Option<&'static str>> {
    // `f_type` has another width and sign on each architecture; the numbers are of 32 bits.
    Ok(named(rustix::fs::statfs(path)?.f_type as u32))
}

/// Elsewhere it can't be told without unsafe code.
#[cfg(not(target_os = "linux"))]
pub(super) fn kind(_path: &Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

/// Names what statfs(2) and the kernel's `magic.h` number; those that may well be local (9p and FUSE, which
/// containers and encrypted folders use) are not among them.
#[cfg(target_os = "linux")]
fn named(number: u32) -> Option<&'static str> {
    Some(match number {
        0x6969 => "NFS",
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => "SMB",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x7461_636f => "OCFS2",
        0x0116_1970 => "GFS2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_folder_is_on_no_network() {
        assert_eq!(kind(&std::env::temp_dir()).unwrap(), None);
        assert!(kind(Path::new("/no such folder")).is_err() || cfg!(not(target_os = "linux")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn network_file_systems_are_known_by_number() {
        assert_eq!(named(0x6969), Some("NFS"));
        assert_eq!(named(0xff53_4d42), Some("SMB"));
        assert_eq!(named(0xef53), None, "ext4");
    }
}
