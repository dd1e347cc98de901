//! The specifications of Stockade, tried on the real binary.

mod approvals;
mod bisect;
mod clients;
mod conformance;
mod definitions;
mod demo;
mod denials;
mod doctor;
mod egress;
mod guarantees;
mod identify;
mod inspect;
mod jail;
mod learn;
mod logins;
mod mediation;
mod oracle;
mod packages;
mod policy;
mod profile;
mod reload;
mod robust;
mod support;
mod tidy;
mod trials;
mod why;
