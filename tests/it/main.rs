//! The specifications of Stockade, tried on the real binary.

mod clients;
mod demo;
mod denials;
mod doctor;
mod egress;
mod guarantees;
mod inspect;
mod jail;
mod mediation;
mod oracle;
mod profile;
mod robust;
mod support;
mod tidy;
