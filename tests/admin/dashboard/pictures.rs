//! `make screenshots`: the pictures of docs/dashboard.md.
