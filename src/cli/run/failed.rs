//! The items that an array job could not do, for whoever looks after them.
//!
//! Responsible for the folder that `failed` names: which items they are, and what each
//! said. It has what the last run came to and nothing older; what others put there is
//! left alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::exit_code::Failure;
use crate::driver::report::LeftOutReport;

/// The items, one a line: an input for another run.
const ITEMS: &str = "items";

/// What each said begins so, with the place of the item behind it.
const STDERR: &str = "stderr-";

/// What there is to say of items that are too many.
pub(super) fn told(left_out: &LeftOutReport) -> Option<String> {
    let too_many = left_out.too_many.clone()?;
    Some(match &left_out.folder {
        Some(folder) => format!("{too_many}: they are in {folder}"),
        None => too_many,
    })
}

/// Writes all of them down.
///
/// # Errors
/// Something cannot be written.
pub(super) fn write(left_out: &[LeftOutReport]) -> Result<(), Failure> {
    for report in left_out {
        if let Some(folder) = &report.folder {
            let folder = Path::new(folder);
            write_folder(folder, report)
                .map_err(|(path, error)| Failure::Failed { path, error })?;
        }
    }
    Ok(())
}

fn write_folder(folder: &Path, report: &LeftOutReport) -> Result<(), (PathBuf, io::Error)> {
    let of = |path: &Path| {
        let path = path.to_owned();
        |error| (path, error)
    };
    fs::create_dir_all(folder).map_err(of(folder))?;
    for entry in fs::read_dir(folder).map_err(of(folder))? {
        let entry = entry.map_err(of(folder))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(STDERR));
        if number.is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit())) {
            fs::remove_file(entry.path()).map_err(of(&entry.path()))?;
        }
    }
    let mut items = String::new();
    for item in &report.items {
        items += &format!("{}\n", item.item);
        let path = folder.join(format!("{STDERR}{:05}", item.partition));
        fs::write(&path, format!("{}\n", item.error)).map_err(of(&path))?;
    }
    let path = folder.join(ITEMS);
    fs::write(&path, items).map_err(of(&path))
}
