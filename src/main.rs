//! The `mesquite` command.

fn main() {}
