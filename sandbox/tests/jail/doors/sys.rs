//! Name lookup as C programs do it.

use std::ffi::{CStr, CString};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

/// The first address that getaddrinfo(3) finds in `family`, with AI_ADDRCONFIG.
pub(super) fn look_up(name: &str, family: i32) -> io::Result<IpAddr> {
    let name = CString::new(name)?;
    // SAFETY: every field of addrinfo may be zero or null.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = family;
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_flags = libc::AI_ADDRCONFIG;
    let mut found: *mut libc::addrinfo = ptr::null_mut();
    // SAFETY: `name` ends in NUL, `hints` and `found` live through the call, no service is asked for.
    let result = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut found) };
    if result != 0 {
        // SAFETY: takes any number.
        let text = unsafe { libc::gai_strerror(result) };
        // SAFETY: what gai_strerror returns is a static string.
        let text = unsafe { CStr::from_ptr(text) };
        return Err(io::Error::other(text.to_string_lossy().into_owned()));
    }
    // SAFETY: on success `found` points to at least one element; it lives until freeaddrinfo, which is never called.
    let first = unsafe { &*found };
    Ok(match first.ai_family {
        libc::AF_INET => {
            // SAFETY: an element of family AF_INET carries a sockaddr_in.
            let address = unsafe { &*first.ai_addr.cast::<libc::sockaddr_in>() };
            Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into()
        }
        _ => {
            // SAFETY: asked for AF_INET or AF_INET6 alone, any other element is AF_INET6 and carries a sockaddr_in6.
            let address = unsafe { &*first.ai_addr.cast::<libc::sockaddr_in6>() };
            Ipv6Addr::from(address.sin6_addr.s6_addr).into()
        }
    })
}
