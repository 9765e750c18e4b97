//! Tests of repo.
