//! Archives that are sound, and those that are not.

use std::os::unix::fs::MetadataExt;

use tar::{Builder, Header};

use super::*;
use crate::storage::private;
use crate::task::test_context;

/// An entry: its name, its kind, and its bytes or what it leads to.
type Made<'m> = (&'m str, EntryType, &'m str);

const FILE: EntryType = EntryType::Regular;

fn archive(entries: &[Made<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, text) in entries {
        let mut header = Header::new_gnu();
        // As whoever means harm writes it, which the library does not.
        header.as_gnu_mut().expect("it is").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(if name.ends_with(".sh") { 0o4755 } else { 0o644 });
        let is_file = *kind == FILE;
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            let target = &mut header.as_gnu_mut().expect("it is").linkname;
            target[..text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_size(if is_file { text.len() as u64 } else { 0 });
        header.set_cksum();
        let bytes = if is_file { text.as_bytes() } else { b"" };
        builder.append(&header, bytes).expect("in memory");
    }
    builder.into_inner().expect("in memory")
}

/// Unpacks an archive; the folder around what comes of it.
fn tried(bytes: &[u8], packing: Packing, most: u64) -> (tempfile::TempDir, Result<(), TaskError>) {
    let work = tempfile::tempdir().expect("a folder");
    let at = work.path().join("packed");
    fs::write(&at, bytes).expect("written");
    let context = test_context(work.path());
    let done = unpack(&at, packing, &work.path().join("to"), most, &context);
    (work, done)
}

#[test]
fn what_is_in_it_is_there_to_be_read_and_not_to_be_changed() {
    let bytes = archive(&[
        ("./", EntryType::Directory, ""),
        ("a/run.sh", FILE, "run"),
        ("a/b/c.txt", FILE, "first"),
        ("a/b/c.txt", FILE, "last"),
        ("a/same", EntryType::Link, "a/b/c.txt"),
        ("to", EntryType::Symlink, "a/b"),
        ("a/up", EntryType::Symlink, "../to/c.txt"),
    ]);
    let (work, done) = tried(&bytes, Packing::Plain, 100);
    done.expect("sound");
    let to = work.path().join("to");
    let read = |name: &str| fs::read_to_string(to.join(name)).expect("there");
    for name in ["a/b/c.txt", "a/same", "to/c.txt", "a/up"] {
        assert_eq!(read(name), "last", "{name}");
    }
    let mode = |name: &str| fs::metadata(to.join(name)).expect("there").mode() & 0o7777;
    let modes = ["a/run.sh", "a/b/c.txt", "a", ""].map(mode);
    assert_eq!(modes, [0o500, 0o400, 0o500, 0o500]);
    private::remove_all(&to);
    assert!(!to.exists());
}

#[test]
fn what_leads_out_or_keeps_no_bytes_is_refused() {
    for (entries, part) in [
        (&[("../x", FILE, "x")][..], "`../x` leads out"),
        (&[("a/../../x", FILE, "x")], "leads out"),
        (&[("/etc/x", FILE, "x")], "leads out"),
        (&[("a", EntryType::Symlink, "/etc")], "`a` leads to /etc"),
        (&[("a", EntryType::Symlink, "..")], "leads to .."),
        (&[("a", EntryType::Symlink, "nowhere")], "nothing within it"),
        (&[("a", EntryType::Symlink, "a")], "nothing within it"),
        (&[("a", EntryType::Link, "../packed")], "nothing within it"),
        (&[("a", EntryType::Char, "")], "`a` is a device"),
        (&[("a", EntryType::Fifo, "")], "`a` is a device"),
        (
            &[
                ("t/x", FILE, "x"),
                ("a/b/s", EntryType::Symlink, "../../t"),
                ("a/b/u", EntryType::Symlink, "s/../.."),
            ],
            "`a/b/u` leads to s/../..",
        ),
        // No file is written through a link.
        (
            &[("a", EntryType::Symlink, ".."), ("a/x", FILE, "x")],
            "cannot write",
        ),
    ] {
        let (work, done) = tried(&archive(entries), Packing::Plain, 100);
        let told = done.expect_err(part).to_string();
        assert!(told.contains(part), "{part} is not in {told}");
        assert!(!work.path().join("x").exists());
    }
}

#[test]
fn what_would_fill_disk_or_memory_is_refused_and_what_is_none_is_told() {
    let zeros = "\0".repeat(1 << 20);
    let bytes = archive(&[("a", FILE, &zeros), ("b", FILE, &zeros)]);
    let packed = zstd::encode_all(&*bytes, 19).expect("packed");
    assert!(packed.len() < 2000);
    let (_, done) = tried(&packed, Packing::Zstd, 3 << 20);
    done.expect("so much is allowed");
    let (_, done) = tried(&packed, Packing::Zstd, 2_000_000);
    let told = done.expect_err("a bomb").to_string();
    for part in ["more than", "with `b`", "mesquite.archives.maxSize"] {
        assert!(told.contains(part), "{told}");
    }
    // A name that is as long as a file.
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(4 << 20);
    header.set_cksum();
    let name = "x".repeat(4 << 20);
    builder.append(&header, name.as_bytes()).expect("in memory");
    let bytes = builder.into_inner().expect("in memory");
    let (_, done) = tried(&bytes, Packing::Plain, u64::MAX);
    let told = done.expect_err("too long").to_string();
    assert!(told.contains("longer than 1 MiB"), "{told}");
    let (_, done) = tried(&[7; 2000], Packing::Plain, 100);
    assert!(
        done.expect_err("none")
            .to_string()
            .contains("no sound archive")
    );
    let (_, done) = tried(b"no gzip", Packing::Gzip, 100);
    assert!(done.is_err());
}
