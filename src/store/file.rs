//! The database file: opened, migrated, checked, copied, kept small, closed.

mod check;
mod maintain;
mod open;

pub use check::refuse_damaged;
pub use open::OpenError;

#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] =
    &[check::STATEMENTS, maintain::STATEMENTS, open::STATEMENTS];
