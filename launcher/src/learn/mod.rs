//! `learn`: a server runs in a wide but fenced jail (decision 9), what it opens and reaches is kept, and the least profile
//! that allows it is proposed, each line with its evidence.
//!
//! Only ordinary files and public hosts are opened for learning. Environment, sensitive places, private addresses, kernel
//! surface and the end of the tree stay as they are in every jail; what was tried there is told, and never granted unasked.

mod calls;
mod case;
mod evidence;
mod fold;
mod gather;
mod merge;
mod names;
mod ports;
mod programs;
mod propose;
mod shelf;
mod sources;
mod splice;
mod wanted;
mod width;
mod witness;
mod write;

pub use case::Case;
pub use evidence::Evidence;
pub use gather::{Finished, gather};
pub use merge::merge;
pub use propose::{Proposal, propose};
pub use shelf::Shelf;
pub use witness::Witness;
