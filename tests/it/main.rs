//! The specifications of Stockade, tried on the real binary.

mod clients;
mod demo;
mod doctor;
mod guarantees;
mod inspect;
mod mediation;
mod oracle;
mod robust;
mod support;
mod tidy;
