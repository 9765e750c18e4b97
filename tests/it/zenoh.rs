//! Tests of zenoh.
