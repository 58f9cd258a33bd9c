//! Event logs in a folder, which others write.
//!
//! Responsible for which files are logs ([`place`]), for what is in them ([`read`]), and
//! for the list of them with what is wrong ([`folder`]). Trusts no file: nothing is
//! followed out of the folder, and nothing is read that is no regular file.

pub mod folder;
pub mod place;
pub mod read;
