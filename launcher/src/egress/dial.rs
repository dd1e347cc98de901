//! Connecting outside: straight to the checked address, or through an HTTP proxy by name.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use stockade_policy::document::profile::AddressClass;
use stockade_policy::egress::Destination;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::proxy::{Proxies, Proxy, Route, Unusable};

/// For the whole of it: name of the proxy, connection, its answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest head of a proxy's answer.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// A connection to the outside.
#[derive(Debug)]
pub(super) struct Dialled {
    pub(super) stream: TcpStream,
    /// What came behind the proxy's answer: the first bytes of the destination.
    pub(super) early: Vec<u8>,
    pub(super) way: &'static str,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("cannot connect: {0}")]
    Direct(#[source] io::Error),
    #[error("cannot reach the proxy {proxy}: {source}")]
    Proxy { proxy: Proxy, source: io::Error },
    #[error("the proxy {proxy} answered {status}")]
    Refused { proxy: Proxy, status: u16 },
    #[error("the proxy {proxy} gave no HTTP answer")]
    Garbled { proxy: Proxy },
    #[error("its name is known to the proxy alone, and NO_PROXY keeps this port from it")]
    Unresolved,
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error("no connection within {} seconds", PATIENCE.as_secs())]
    Late,
}

impl DialError {
    /// Whether it is the proxy that stands in the way, which the user has to hear of: nothing else will work either.
    pub(super) fn is_of_the_proxy(&self) -> bool {
        !matches!(self, Self::Direct(_) | Self::Late)
    }
}

/// Connects. The address was checked; a proxy is told the name and looks it up itself.
pub(super) async fn dial(to: &Destination, proxies: &Proxies) -> Result<Dialled, DialError> {
    let dialling = async {
        match proxies.route(to) {
            Route::Direct => direct(to).await,
            Route::Through(proxy) => through(proxy, to).await,
            Route::Nowhere(unusable) => Err(unusable.clone().into()),
        }
    };
    let dialled = timeout(PATIENCE, dialling).await.unwrap_or(Err(DialError::Late))?;
    // Both only make a connection behave better; one without them is a connection all the same.
    let _ = dialled.stream.set_nodelay(true);
    let _ = nix::sys::socket::setsockopt(&dialled.stream, nix::sys::socket::sockopt::KeepAlive, &true);
    Ok(dialled)
}

/// Whether a program may be connected to it without us between.
pub(super) fn is_plain(to: &Destination, proxies: &Proxies) -> bool {
    proxies.route(to) == Route::Direct && !is_made_up(to)
}

async fn direct(to: &Destination) -> Result<Dialled, DialError> {
    if is_made_up(to) {
        return Err(DialError::Unresolved);
    }
    let stream = TcpStream::connect(to.to).await.map_err(DialError::Direct)?;
    Ok(Dialled { stream, early: Vec::new(), way: "direct" })
}

/// The address stands for a name that could not be looked up here (see `Judge::unresolved`): a real one in 198.18.0.0/15
/// is private.
fn is_made_up(to: &Destination) -> bool {
    let synthetic =
        matches!(to.to.ip(), IpAddr::V4(address) if matches!(address.octets(), [198, 18 | 19, ..]));
    synthetic && to.name.is_some() && to.class == AddressClass::Public
}

async fn through(proxy: &Proxy, to: &Destination) -> Result<Dialled, DialError> {
    let unreachable = |source| DialError::Proxy { proxy: proxy.clone(), source };
    let mut stream = TcpStream::connect((proxy.host.as_str(), proxy.port)).await.map_err(unreachable)?;
    stream.write_all(request(proxy, to).as_bytes()).await.map_err(unreachable)?;
    let mut answer = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut answer).await.map_err(unreachable)? == 0 {
            return Err(DialError::Garbled { proxy: proxy.clone() });
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        match head.parse(&answer) {
            Ok(httparse::Status::Complete(length)) => {
                return match head.code {
                    Some(200..=299) => Ok(Dialled { stream, early: answer.split_off(length), way: "proxy" }),
                    Some(status) => Err(DialError::Refused { proxy: proxy.clone(), status }),
                    None => Err(DialError::Garbled { proxy: proxy.clone() }),
                };
            }
            Ok(httparse::Status::Partial) if answer.len() < HEAD_BYTES_MAX => {}
            Ok(httparse::Status::Partial) | Err(_) => {
                return Err(DialError::Garbled { proxy: proxy.clone() });
            }
        }
    }
}

/// RFC 9110, 9.3.6. Names come from the judge, which lets nothing but letters, digits, dots, `-` and `_` be a name.
fn request(proxy: &Proxy, to: &Destination) -> String {
    let target = match &to.name {
        Some(name) => format!("{name}:{}", to.to.port()),
        None => to.to.to_string(),
    };
    let authorization = match &proxy.authorization {
        Some(value) => format!("Proxy-Authorization: {value}\r\n"),
        None => String::new(),
    };
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n")
}

#[cfg(test)]
mod tests;
