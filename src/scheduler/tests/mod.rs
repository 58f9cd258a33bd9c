//! The scheduling suites, grouped as Spark groups its own.

mod dag_suite;
