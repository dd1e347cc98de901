//! G4: other processes cannot be traced, read or signalled. That the tree ends with its session is in
//! `robust/lifetimes.rs`.

use serde_json::json;

use super::check;
use crate::support::World;

#[test]
fn other_processes_cannot_be_read_or_influenced() {
    let world = World::new();
    // A process of the same user, not an ancestor of the probe.
    let mut victim = std::process::Command::new("/bin/sleep").arg("600").spawn().unwrap();
    let pid = victim.id();
    let attempts = json!([
        ["send a signal", "signal", pid],
        ["read the environment", "read", format!("/proc/{pid}/environ")],
        ["see what it runs", "follow", format!("/proc/{pid}/exe")],
        ["see what it has open", "follow", format!("/proc/{pid}/fd/0")],
        ["reach its root", "list", format!("/proc/{pid}/root/")],
        ["read the maps", "read", format!("/proc/{pid}/maps")],
        ["read the memory", "memory", pid],
        ["trace", "trace", pid],
    ]);
    check(&world, &[], &attempts, &[]);
    victim.kill().unwrap();
    victim.wait().unwrap();
}
