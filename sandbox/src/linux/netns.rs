//! A network namespace in which every address leads to us.

use std::os::fd::OwnedFd;

use super::link::DoorCounts;
use super::step::Failure;
use crate::Doors;

/// Brings up the loopback and opens the doors; needs CAP_NET_ADMIN and CAP_NET_BIND_SERVICE in this namespace.
pub(crate) fn open(_doors: &Doors) -> Result<(DoorCounts, Vec<OwnedFd>), Failure> {
    // TODO(netns)
    Ok((DoorCounts::default(), Vec::new()))
}
