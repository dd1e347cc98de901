//! DNS messages as bytes (RFC 1035, RFC 6891): one question in, one answer out.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

/// Seconds that an answer may be kept. What the outside said is not known here: it was looked up by the system.
const TTL_SECONDS: u32 = 60;
/// A synthetic address (198.18.0.0/15) is worth nothing outside of this session.
const TTL_SYNTHETIC_SECONDS: u32 = 1;
/// What a datagram holds if the question says nothing else.
const DATAGRAM_BYTES: usize = 512;
/// What we are ready to receive and send in one datagram: it never leaves this machine.
const DATAGRAM_BYTES_MAX: u16 = 4096;
const HEADER_BYTES: usize = 12;
const NAME_BYTES_MAX: usize = 255;

const CLASS_IN: u16 = 1;
const TYPE_OPT: u16 = 41;

const FLAG_RESPONSE: u16 = 0x8000;
const FLAG_TRUNCATED: u16 = 0x0200;
const FLAG_RECURSION_DESIRED: u16 = 0x0100;
const FLAG_RECURSION_AVAILABLE: u16 = 0x0080;
const OPCODE: u16 = 0x7800;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Hosts and ports of a service (RFC 2782).
    Srv,
    /// Texts.
    Txt,
    /// How a web server is reached (RFC 9460).
    Https,
    /// The same for other services.
    Svcb,
    /// The name of an address.
    Ptr,
    /// Anything else.
    Other(u16),
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Chosen by whoever asks.
    pub id: u16,
    /// Without the last dot, in the case that was asked. What is no letter of a host name is escaped (`\046`), so that a
    /// dot inside of a label is not one between two.
    pub name: String,
    /// What is asked for.
    pub kind: Kind,
    /// The question section as it came: an answer repeats it to the letter, since some resolvers hide an id in the case.
    section: Vec<u8>,
    flags: u16,
    has_edns: bool,
    /// Bytes that the answer may have.
    room_bytes: usize,
}

/// What is no question that can be answered as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not even a question: nothing is said to it.
    Silent,
    /// A question that is answered by a header alone.
    Answered {
        /// Its id.
        id: u16,
        /// Its flags.
        flags: u16,
        /// What is wrong.
        code: Code,
    },
}

/// Why there is no answer (RFC 1035, section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Code {
    /// There is one, or there is none of this kind.
    NoError = 0,
    /// The question cannot be read.
    FormatError = 1,
    /// It could not be found out.
    ServerFailure = 2,
    /// There is no such name.
    NameError = 3,
    /// Not this kind of request.
    NotImplemented = 4,
    /// Not for this asker.
    Refused = 5,
}

/// A host and port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Lower comes first.
    pub priority: u16,
    /// Share among those of one priority.
    pub weight: u16,
    /// TCP or UDP port.
    pub port: u16,
    /// As [`Question::name`]; empty: there is no such service.
    pub target: String,
}

/// Reads a question; strictly, since everything that has to be asked can be asked plainly.
///
/// # Errors
/// It cannot be read, or is none.
pub fn parse(query: &[u8]) -> Result<Question, Malformed> {
    let mut r = Reader::new(query);
    let head = (|| Some([r.u16()?, r.u16()?, r.u16()?, r.u16()?, r.u16()?, r.u16()?]))();
    let [id, flags, questions, answers, authorities, additionals] = head.ok_or(Malformed::Silent)?;
    // An answer to an answer could go round for ever.
    if flags & FLAG_RESPONSE != 0 {
        return Err(Malformed::Silent);
    }
    let wrong = |code| Malformed::Answered { id, flags, code };
    if flags & OPCODE != 0 {
        return Err(wrong(Code::NotImplemented));
    }
    if (questions, answers, authorities) != (1, 0, 0) {
        return Err(wrong(Code::FormatError));
    }
    let asked = (|| Some((r.plain_name()?, r.u16()?, r.u16()?)))();
    let (name, kind, class) = asked.ok_or_else(|| wrong(Code::FormatError))?;
    let section = query.get(HEADER_BYTES..r.at).ok_or_else(|| wrong(Code::FormatError))?.to_vec();
    let edns = edns(&mut r, additionals).ok_or_else(|| wrong(Code::FormatError))?;
    if class != CLASS_IN {
        return Err(wrong(Code::Refused));
    }
    let room_bytes =
        edns.map_or(DATAGRAM_BYTES, |bytes| usize::from(bytes.min(DATAGRAM_BYTES_MAX)).max(DATAGRAM_BYTES));
    Ok(Question { id, name, kind: kind.into(), section, flags, has_edns: edns.is_some(), room_bytes })
}

/// The size in the OPT record, if there is one; nothing else may follow. `None` if it cannot be read.
#[expect(clippy::option_option, reason = "unreadable, absent, present")]
fn edns(r: &mut Reader<'_>, additionals: u16) -> Option<Option<u16>> {
    let mut size = None;
    for _ in 0..additionals {
        let (name, kind, class) = (r.plain_name()?, r.u16()?, r.u16()?);
        let (_ttl, length) = (r.take(4)?, r.u16()?);
        r.take(length.into())?;
        if kind == TYPE_OPT && (!name.is_empty() || size.replace(class).is_some()) {
            return None;
        }
    }
    (r.at == r.bytes.len()).then_some(size)
}

impl Question {
    /// The same question, over a connection: there is room for an answer of any length.
    #[must_use]
    pub fn on_stream(self) -> Self {
        Self { room_bytes: usize::from(u16::MAX), ..self }
    }
}

impl Malformed {
    /// What is answered; empty if nothing is.
    #[must_use]
    pub fn answer(self) -> Vec<u8> {
        match self {
            Self::Silent => Vec::new(),
            Self::Answered { id, flags, code } => {
                let opcode = flags & OPCODE;
                header(id, response(flags) | opcode | code as u16, [0; 4])
            }
        }
    }
}

impl From<u16> for Kind {
    fn from(number: u16) -> Self {
        match number {
            1 => Self::A,
            12 => Self::Ptr,
            16 => Self::Txt,
            28 => Self::Aaaa,
            33 => Self::Srv,
            64 => Self::Svcb,
            65 => Self::Https,
            other => Self::Other(other),
        }
    }
}

impl From<Kind> for u16 {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::A => 1,
            Kind::Ptr => 12,
            Kind::Txt => 16,
            Kind::Aaaa => 28,
            Kind::Srv => 33,
            Kind::Svcb => 64,
            Kind::Https => 65,
            Kind::Other(other) => other,
        }
    }
}

/// The addresses of the family that is asked for.
#[must_use]
pub fn answer_addresses(question: &Question, addresses: &[IpAddr]) -> Vec<u8> {
    let records = addresses.iter().filter_map(|address| match (question.kind, address) {
        (Kind::A, IpAddr::V4(v4)) => Some((ttl(*v4), v4.octets().to_vec())),
        (Kind::Aaaa, IpAddr::V6(v6)) => Some((TTL_SECONDS, v6.octets().to_vec())),
        _ => None,
    });
    message(question, Code::NoError, &records.collect::<Vec<_>>())
}

/// Hosts and ports of a service.
#[must_use]
pub fn answer_services(question: &Question, services: &[Service]) -> Vec<u8> {
    let records = services.iter().filter_map(|service| {
        let mut data = [service.priority, service.weight, service.port].map(u16::to_be_bytes).concat();
        put_name(&mut data, &service.target)?;
        Some((TTL_SECONDS, data))
    });
    message(question, Code::NoError, &records.collect::<Vec<_>>())
}

/// Texts, each as the strings with their lengths that stand in a record.
#[must_use]
pub fn answer_texts(question: &Question, texts: &[Vec<u8>]) -> Vec<u8> {
    let records = texts.iter().map(|text| (TTL_SECONDS, text.clone()));
    message(question, Code::NoError, &records.collect::<Vec<_>>())
}

/// The name is there, what is asked for is not.
#[must_use]
pub fn no_data(question: &Question) -> Vec<u8> {
    message(question, Code::NoError, &[])
}

/// There is no such name, as far as this asker is concerned.
#[must_use]
pub fn nxdomain(question: &Question) -> Vec<u8> {
    message(question, Code::NameError, &[])
}

/// Nothing is looked up for this asker.
#[must_use]
pub fn refused(question: &Question) -> Vec<u8> {
    message(question, Code::Refused, &[])
}

/// It could not be found out.
#[must_use]
pub fn servfail(question: &Question) -> Vec<u8> {
    message(question, Code::ServerFailure, &[])
}

/// A question of our own, with room for an answer of the size that the path outside can be trusted with (DNS flag day
/// 2020). Its question section is what the answer has to repeat.
#[must_use]
pub fn query(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    const SIZE: u16 = 1232;
    let mut bytes = header(id, FLAG_RECURSION_DESIRED, [1, 0, 0, 1]);
    put_name(&mut bytes, name)?;
    bytes.extend(u16::from(kind).to_be_bytes());
    bytes.extend(CLASS_IN.to_be_bytes());
    put_edns(&mut bytes, SIZE);
    Some(bytes)
}

fn ttl(address: Ipv4Addr) -> u32 {
    match address.octets() {
        [198, 18 | 19, ..] => TTL_SYNTHETIC_SECONDS,
        _ => TTL_SECONDS,
    }
}

/// Every record is of the name and kind that is asked for.
fn message(question: &Question, code: Code, records: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let flags = response(question.flags) | code as u16;
    let additionals = u16::from(question.has_edns);
    let count = u16::try_from(records.len()).unwrap_or(u16::MAX);
    let mut bytes = header(question.id, flags, [1, count, 0, additionals]);
    bytes.extend(&question.section);
    for (ttl, data) in records {
        // A pointer to the name of the question, which stands behind the header.
        bytes.extend((0xc000 | HEADER_BYTES as u16).to_be_bytes());
        bytes.extend(u16::from(question.kind).to_be_bytes());
        bytes.extend(CLASS_IN.to_be_bytes());
        bytes.extend(ttl.to_be_bytes());
        bytes.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend(data);
    }
    if question.has_edns {
        put_edns(&mut bytes, DATAGRAM_BYTES_MAX);
    }
    if bytes.len() <= question.room_bytes {
        return bytes;
    }
    // Whoever asked comes again over TCP; parts of an answer would be taken for the whole (RFC 2181, section 9).
    let mut bytes = header(question.id, flags | FLAG_TRUNCATED, [1, 0, 0, additionals]);
    bytes.extend(&question.section);
    if question.has_edns {
        put_edns(&mut bytes, DATAGRAM_BYTES_MAX);
    }
    bytes
}

fn response(flags: u16) -> u16 {
    FLAG_RESPONSE | flags & FLAG_RECURSION_DESIRED | FLAG_RECURSION_AVAILABLE
}

fn header(id: u16, flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let [questions, answers, authorities, additionals] = counts;
    [id, flags, questions, answers, authorities, additionals].map(u16::to_be_bytes).concat()
}

/// An OPT record without options: version 0, no flags (RFC 6891, section 6.1.2).
fn put_edns(bytes: &mut Vec<u8>, size: u16) {
    bytes.push(0);
    bytes.extend(TYPE_OPT.to_be_bytes());
    bytes.extend(size.to_be_bytes());
    bytes.extend([0; 6]);
}

/// A name of plain labels; `None` for what is none.
fn put_name(bytes: &mut Vec<u8>, name: &str) -> Option<()> {
    for label in name.split('.').filter(|_| !name.is_empty()) {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    (name.len() + 2 <= NAME_BYTES_MAX && !name.contains('\\')).then_some(())
}

/// Reads a message from its first byte to its last.
pub(super) struct Reader<'m> {
    pub(super) bytes: &'m [u8],
    pub(super) at: usize,
}

impl<'m> Reader<'m> {
    pub(super) fn new(bytes: &'m [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'m [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// A name without pointers: a question has nothing before it to point to.
    pub(super) fn plain_name(&mut self) -> Option<String> {
        let mut name = Spelling::default();
        loop {
            match self.u8()? {
                0 => return name.finish(),
                length @ 1..=63 => name.label(self.take(length.into())?)?,
                _ => return None,
            }
        }
    }

    /// A name whose rest may stand further in front (RFC 1035, section 4.1.4). Each pointer leads before the place that
    /// the last one led to, so that there is an end.
    pub(super) fn name(&mut self) -> Option<String> {
        let mut name = Spelling::default();
        let mut earliest = self.at;
        let mut elsewhere: Option<Self> = None;
        loop {
            let r = elsewhere.as_mut().unwrap_or(self);
            match r.u8()? {
                0 => return name.finish(),
                length @ 1..=63 => name.label(r.take(length.into())?)?,
                high @ 0xc0.. => {
                    let to = usize::from(u16::from_be_bytes([high & 0x3f, r.u8()?]));
                    if to >= earliest {
                        return None;
                    }
                    earliest = to;
                    elsewhere = Some(Self { bytes: self.bytes, at: to });
                }
                _ => return None,
            }
        }
    }
}

/// A name as text, while it is read.
#[derive(Default)]
struct Spelling {
    text: String,
    wire_bytes: usize,
}

impl Spelling {
    fn label(&mut self, label: &[u8]) -> Option<()> {
        self.wire_bytes += 1 + label.len();
        if !self.text.is_empty() {
            self.text.push('.');
        }
        for byte in label {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
                self.text.push(char::from(*byte));
            } else {
                // To a String, which cannot fail.
                let _ = write!(self.text, "\\{byte:03}");
            }
        }
        (self.wire_bytes < NAME_BYTES_MAX).then_some(())
    }

    fn finish(self) -> Option<String> {
        Some(self.text)
    }
}
