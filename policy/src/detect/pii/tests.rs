//! Placeholder until the engine-level tests below exist.
