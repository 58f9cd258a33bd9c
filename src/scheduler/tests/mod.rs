//! The scheduling suites, grouped as Spark groups its own.

mod core_properties;
mod dag_suite;
