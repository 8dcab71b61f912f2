//! Evenly.
