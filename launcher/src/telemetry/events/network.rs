//! Events of the network. None of them holds a byte of what was sent.
//!
//! Names and paths are chosen by the server: whoever makes an event has them masked by the detectors first.

use serde::Serialize;

use super::super::log::{EventLog, Stopped};

/// One of these events.
#[derive(Debug)]
pub enum NetworkEvent {
    /// `net.first_seen`
    FirstSeen(NetFirstSeen),
    /// `net.connect`
    Connect(NetConnect),
    /// `net.refused`
    Refused(NetRefused),
    /// `net.dns_refused`
    DnsRefused(NetRefused),
    /// `net.dns_failed`
    DnsFailed(NetDnsFailed),
    /// `net.inbound`
    Inbound(NetInbound),
    /// `net.summary`
    Summary(NetSummary),
    /// `browser`
    Browser(BrowserPage),
}

impl NetworkEvent {
    /// Writes it.
    ///
    /// # Errors
    /// [`Stopped`] when policy stops traffic on a full disk.
    pub fn append_to(&self, log: &mut EventLog) -> Result<(), Stopped> {
        match self {
            Self::FirstSeen(what) => log.append("net.first_seen", what),
            Self::Connect(what) => log.append("net.connect", what),
            Self::Refused(what) => log.append("net.refused", what),
            Self::DnsRefused(what) => log.append("net.dns_refused", what),
            Self::DnsFailed(what) => log.append("net.dns_failed", what),
            Self::Inbound(what) => log.append("net.inbound", what),
            Self::Summary(what) => log.append("net.summary", what),
            Self::Browser(what) => log.append("browser", what),
        }
    }

    /// Whether it has to reach the disk at once, as refusals do.
    pub fn is_urgent(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::DnsRefused(_))
    }
}

/// A request of the client that waited for its answer when something happened: what the server was told to do, as far
/// as the time tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallLine {
    /// JSON-RPC id as on the record of the request, by which the two are put together.
    pub id: String,
    /// `tools/call`
    pub method: String,
    /// Tool, prompt or resource, masked as on the record of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
}

/// The calls in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CallsInFlight {
    /// The first few of them, oldest first; none means that the server did it unasked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallLine>,
    /// How many there were, if more than one: then it may have been for any of them.
    #[serde(skip_serializing_if = "is_unambiguous")]
    pub ambiguous: usize,
}

fn is_unambiguous(calls: &usize) -> bool {
    *calls <= 1
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// `net.first_seen`: the first connection of this session to a destination, written when it begins: a destination is on
/// record even if the connection to it outlives the launcher.
#[derive(Debug, Serialize)]
pub struct NetFirstSeen {
    /// Name that the server asked for, masked; its address if it asked for none: where data may go is the point of the event.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// `public`, `loopback`, `private`, `link-local`, `metadata`: whose network it is.
    pub class: &'static str,
    /// Calls in flight, by the time: claims of cause, not proof.
    pub during: CallsInFlight,
}

/// `net.connect`: one connection, written when it ends.
#[derive(Debug, Serialize)]
pub struct NetConnect {
    /// `allow`: what is refused is [`NetRefused`].
    pub verdict: &'static str,
    /// Name that the server asked for, masked; its address if it asked for none.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The address behind the name, as we resolved it: tells apart what one name was at different times.
    pub address: String,
    /// As in [`NetFirstSeen::class`].
    pub class: &'static str,
    /// `direct`, `proxy`, or `unobserved`: the server was connected to it without us between, so that nothing below is known.
    pub way: &'static str,
    /// The executable that asked, where the backend tells: a server may run several programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Bytes that the server sent; never the bytes themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_up: Option<u64>,
    /// Bytes that it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_down: Option<u64>,
    /// From the server's wish to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// `closed`, `reset`, `over budget`, `half closed and silent`, `session ended`, or why it never came to be.
    pub ended: String,
    /// Calls in flight when it began.
    pub during: CallsInFlight,
}

/// `net.refused`: a connection that was refused, `net.dns_refused`: a name that was not looked up. The same one again is
/// written at most once a minute.
#[derive(Debug, Serialize)]
pub struct NetRefused {
    /// `deny`, so that one filter finds all refusals.
    pub verdict: &'static str,
    /// Destination, masked: names are chosen by the server.
    pub what: String,
    /// Why, in words.
    pub why: String,
    /// What in a profile would allow it: what the user is to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragment: Option<String>,
    /// As in [`NetConnect::program`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// How often it happened since the last event about it.
    #[serde(skip_serializing_if = "is_zero")]
    pub suppressed: u64,
    /// Calls in flight.
    pub during: CallsInFlight,
}

/// `net.dns_failed`: a granted name that could not be looked up outside: why a server that may connect does not. The same
/// one again is written at most once a minute.
#[derive(Debug, Serialize)]
pub struct NetDnsFailed {
    /// The name, masked: it is chosen by the server.
    pub name: String,
    /// What failed.
    pub why: String,
    /// How often it happened since the last event about it.
    #[serde(skip_serializing_if = "is_zero")]
    pub suppressed: u64,
    /// Calls in flight.
    pub during: CallsInFlight,
}

/// `net.inbound`: one connection from the host's loopback to a port that the server may listen on.
#[derive(Debug, Serialize)]
pub struct NetInbound {
    /// The port.
    pub port: u16,
    /// Bytes to the server.
    pub bytes_in: u64,
    /// Bytes from it.
    pub bytes_out: u64,
    /// How long it lasted.
    pub duration_ms: u64,
    /// As in [`NetConnect::ended`].
    pub ended: String,
}

/// `net.summary`: at the end of a session that used the network or was refused it. Counts alone: they hold what single events
/// left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetSummary {
    /// Connections that were allowed.
    pub connections: u64,
    /// Destinations among these.
    pub destinations: u64,
    /// Bytes that the server sent through us.
    pub bytes_up: u64,
    /// Bytes that it was sent through us.
    pub bytes_down: u64,
    /// Connections refused.
    pub refused: u64,
    /// Names refused.
    pub dns_refused: u64,
    /// Events about refusals that were not written because there were too many of them.
    pub suppressed: u64,
    /// What the fence told and nobody could take any more.
    pub lost: u64,
}

/// `browser`: a page that the server wanted to be opened.
#[derive(Debug, Serialize)]
pub struct BrowserPage {
    /// `allow` or `deny`.
    pub verdict: &'static str,
    /// `opened`, `refused`, `failed`
    pub outcome: &'static str,
    /// Scheme, host and path, masked; never the query or fragment, which carry login states and tokens.
    pub page: String,
    /// Why it was not opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What in a profile would allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragment: Option<String>,
    /// Calls in flight.
    pub during: CallsInFlight,
}
