//! The specifications of Stockade, tried on the real binary.

mod mediation;
mod oracle;
mod robust;
mod support;
mod tidy;
