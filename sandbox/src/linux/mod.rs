//! Linux: Landlock, seccomp, namespaces, and the keeper.

mod bpf;
mod capabilities;
mod child;
mod enclosed;
pub(crate) mod facts;
mod keeper;
mod known;
mod landlock;
mod limits;
mod link;
mod namespaces;
mod netns;
mod notify;
mod probe;
pub(crate) mod report;
mod seccomp;
mod session;
mod spawn;
mod step;
#[expect(
    unsafe_code,
    reason = "fork, clone, seccomp, capset and close_range have no safe form; each is wrapped there"
)]
pub(crate) mod sys;
mod tree;
mod view;

pub use enclosed::in_enclosed_network;
pub(crate) use netns::inward::ask as inward_socket;
pub use probe::probe;
pub(crate) use session::Session;
pub use spawn::{spawn, spawn_knowing};

/// Makes the allocator give large freed blocks back to the kernel (glibc's `M_MMAP_THRESHOLD` is fixed, so that a
/// 10 MB frame does not stay resident for the rest of the session). Does nothing on other libcs.
pub fn limit_retained_memory() {
    #[cfg(target_env = "gnu")]
    {
        // mallopt(3): setting either turns off the threshold that grows to 32 MiB with every large block freed.
        const KEPT_BYTES_MAX: i32 = 512 * 1024;
        sys::mallopt(libc::M_MMAP_THRESHOLD, KEPT_BYTES_MAX);
        sys::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX);
    }
}
