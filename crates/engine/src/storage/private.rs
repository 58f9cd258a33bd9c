//! Files and folders that are their user's alone.
//!
//! Responsible for how what belongs to a run is made and opened: readable by its
//! user and nobody else, never in the place of what is there already, never through
//! a link, and never what somebody else has put there. Used for work folders, for all
//! that lies in them, and for journals. What a user asks to be saved is none of its
//! business: that has the user's own umask.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::geteuid;

/// Makes a folder.
///
/// # Errors
/// Something is there already, or it cannot be made.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Makes a file, to be written and read.
///
/// # Errors
/// Something is there already, a link that leads nowhere included, or it cannot be
/// made.
pub fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    options.open(path)
}

/// Opens a file to read.
///
/// # Errors
/// It is not there, is a link or no file, is somebody else's, or cannot be opened.
pub fn open(path: &Path) -> io::Result<File> {
    checked(OpenOptions::new().read(true), path)
}

/// Opens a file to read and to write.
///
/// # Errors
/// As for [`open`].
pub fn open_to_write(path: &Path) -> io::Result<File> {
    checked(OpenOptions::new().read(true).write(true), path)
}

fn checked(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // A named pipe would be waited for otherwise.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = options.custom_flags(flags.bits()).open(path);
    let file = file.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => refused("it is a link, which is not followed"),
        _ => error,
    })?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(refused("it is no file"));
    }
    owned(&about)?;
    Ok(file)
}

/// Whether what this is about belongs to the user that we are.
///
/// # Errors
/// It does not.
pub fn owned(about: &Metadata) -> io::Result<()> {
    let (owner, we) = (about.uid(), geteuid().as_raw());
    if owner == we {
        return Ok(());
    }
    Err(refused(&format!(
        "it belongs to user {owner}, and this process is user {we}"
    )))
}

/// Whether there is a folder that is ours, and no link to one.
///
/// # Errors
/// There is none.
pub fn check_folder(path: &Path) -> io::Result<Metadata> {
    let about = fs::symlink_metadata(path)?;
    if !about.is_dir() {
        return Err(refused("it is no folder"));
    }
    owned(&about)?;
    Ok(about)
}

/// Whether nobody but its user can change what this is about.
///
/// # Errors
/// Others may.
pub fn only_ours_to_change(about: &Metadata) -> io::Result<()> {
    owned(about)?;
    let mode = about.mode() & 0o7777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    Err(refused(&format!(
        "others may write to it (its mode is {mode:04o}; see `chmod go-w`)"
    )))
}

/// Removes a folder with all it contains, as far as that can be. A thread or a process that
/// was given up may still make a file in it, so once may not be enough; and what a command
/// left may have modes that keep it.
pub fn remove_all(path: &Path) {
    for _ in 0..10 {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open_up(path),
            _ => return,
        }
    }
}

/// Lets us remove what is in a folder and those within it.
fn open_up(path: &Path) {
    let mut to_visit = vec![path.to_owned()];
    while let Some(folder) = to_visit.pop() {
        if check_folder(&folder).is_err() {
            continue;
        }
        let _ = fs::set_permissions(&folder, Permissions::from_mode(0o700));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                to_visit.push(entry.path());
            }
        }
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("there").mode() & 0o7777
    }

    #[test]
    fn what_is_made_is_its_users_alone_and_never_what_exists() {
        let parent = tempfile::tempdir().expect("a folder");
        let (folder, file) = (parent.path().join("d"), parent.path().join("f"));
        make_folder(&folder).expect("made");
        create(&file).expect("made");
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        let link = parent.path().join("link");
        let target = parent.path().join("target");
        symlink(&target, &link).expect("linked");
        for path in [&folder, &file, &link] {
            let exists = io::ErrorKind::AlreadyExists;
            assert_eq!(create(path).expect_err("it exists").kind(), exists);
            assert_eq!(make_folder(path).expect_err("it exists").kind(), exists);
        }
        assert!(!target.exists());
    }

    #[test]
    fn links_pipes_and_folders_are_not_opened_as_files() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = |name: &str| parent.path().join(name);
        create(&path("f")).expect("made");
        symlink(path("f"), path("link")).expect("linked");
        nix::unistd::mkfifo(&path("pipe"), Mode::S_IRWXU).expect("made");
        make_folder(&path("d")).expect("made");
        symlink(path("d"), path("to d")).expect("linked");
        assert!(open(&path("f")).is_ok() && open_to_write(&path("f")).is_ok());
        let link = open(&path("link")).expect_err("a link");
        assert!(link.to_string().contains("a link"), "{link}");
        let pipe = open(&path("pipe")).expect_err("a pipe");
        assert!(pipe.to_string().contains("no file"), "{pipe}");
        assert!(open(&path("d")).is_err());
        assert!(check_folder(&path("d")).is_ok());
        assert!(check_folder(&path("to d")).is_err());
    }

    #[test]
    fn what_others_own_or_may_change_is_refused() {
        let root = fs::metadata("/").expect("there");
        if geteuid().is_root() {
            let parent = tempfile::tempdir().expect("a folder");
            let path = parent.path().join("f");
            create(&path).expect("made");
            std::os::unix::fs::chown(&path, Some(12_345), None).expect("given away");
            let error = open(&path).expect_err("somebody else's");
            assert!(error.to_string().contains("user 12345"), "{error}");
        } else {
            assert!(owned(&root).is_err());
        }
        let folder = tempfile::tempdir().expect("a folder");
        for (mode, ours) in [(0o755, true), (0o775, false), (0o1777, false)] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("set");
            let about = fs::metadata(folder.path()).expect("there");
            assert_eq!(only_ours_to_change(&about).is_ok(), ours, "{mode:o}");
        }
    }
}
