//! Event logs in a folder, which others write.
//!
//! Responsible for which files are logs ([`log_files`]), for what is in them ([`read`]), for
//! keeping that (`columns`), and for the list of them with what is wrong ([`folder`]). Trusts
//! no file: nothing is
//! followed out of the folder, and nothing is read that is no regular file.

pub(crate) mod columns;
pub mod folder;
pub mod log_files;
pub mod read;
