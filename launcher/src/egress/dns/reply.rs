//! What a name server outside says to a question of ours.

use super::wire::{Kind, Reader, Service};

/// Records that are looked at, in a reply of at most 64 KiB.
const RECORDS_MAX: u16 = 256;
/// Aliases that are followed.
const ALIASES_MAX: usize = 8;
const TYPE_CNAME: u16 = 5;
const CLASS_IN: u16 = 1;

/// A reply that belongs to the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// RFC 1035, section 4.1.1.
    pub(super) code: u8,
    /// There is more, over TCP.
    pub(super) is_truncated: bool,
    pub(super) services: Vec<Service>,
    /// Each as the strings with their lengths that stand in the record.
    pub(super) texts: Vec<Vec<u8>>,
}

/// What a record says.
enum Said {
    Alias(String),
    Service(Service),
    Text(Vec<u8>),
}

/// Reads a reply; `None` for what is none to this query, or cannot be read.
pub(super) fn read(query: &[u8], reply: &[u8]) -> Option<Reply> {
    let mut r = Reader::new(reply);
    let (id, flags) = (r.u16()?, r.u16()?);
    let (questions, answers) = (r.u16()?, r.u16()?);
    r.take(4)?;
    let is_reply = flags & 0xf800 == 0x8000;
    if !is_reply || questions != 1 {
        return None;
    }
    let asked = question(&mut r)?;
    let mut own = Reader::new(query);
    let own_id = own.u16()?;
    own.take(10)?;
    if id != own_id || asked != question(&mut own)? {
        return None;
    }
    let mut reply = Reply {
        code: (flags & 0x000f) as u8,
        is_truncated: flags & 0x0200 != 0,
        services: Vec::new(),
        texts: Vec::new(),
    };
    // The records of a truncated reply may end anywhere.
    if !reply.is_truncated {
        let records = (0..answers.min(RECORDS_MAX)).map(|_| record(&mut r)).collect::<Option<Vec<_>>>()?;
        collect(asked.0, records.into_iter().flatten().collect(), &mut reply);
    }
    Some(reply)
}

/// Name (in lower case), type and class.
fn question(r: &mut Reader<'_>) -> Option<(String, u16, u16)> {
    Some((r.plain_name()?.to_ascii_lowercase(), r.u16()?, r.u16()?))
}

/// A record with its owner; inner `None` for one of no interest.
#[expect(clippy::option_option, reason = "unreadable, of no interest, of interest")]
fn record(r: &mut Reader<'_>) -> Option<Option<(String, Said)>> {
    let owner = r.name()?.to_ascii_lowercase();
    let (kind, class) = (r.u16()?, r.u16()?);
    r.take(4)?;
    let length = usize::from(r.u16()?);
    let start = r.at;
    let data = r.take(length)?;
    if class != CLASS_IN {
        return Some(None);
    }
    let mut inside = Reader { bytes: r.bytes, at: start };
    let said = match Kind::from(kind) {
        Kind::Srv => Said::Service(Service {
            priority: inside.u16()?,
            weight: inside.u16()?,
            port: inside.u16()?,
            target: inside.name()?,
        }),
        Kind::Txt => {
            inside.at = r.at;
            Said::Text(strings(data)?)
        }
        Kind::Other(TYPE_CNAME) => Said::Alias(inside.name()?.to_ascii_lowercase()),
        _ => return Some(None),
    };
    (inside.at == r.at).then_some(Some((owner, said)))
}

/// The strings of a text, whole.
fn strings(data: &[u8]) -> Option<Vec<u8>> {
    let mut r = Reader::new(data);
    while r.at < data.len() {
        let length = r.u8()?;
        r.take(length.into())?;
    }
    (!data.is_empty()).then(|| data.to_vec())
}

/// What is said of the name, or of the one that it is an alias for. Anything else that a server adds is not listened to.
fn collect(name: String, records: Vec<(String, Said)>, reply: &mut Reply) {
    let mut name = name;
    for _ in 0..ALIASES_MAX {
        let alias = records.iter().find_map(|(owner, said)| match said {
            Said::Alias(target) if *owner == name => Some(target.clone()),
            _ => None,
        });
        match alias {
            Some(target) => name = target,
            None => break,
        }
    }
    for (_, said) in records.into_iter().filter(|(owner, _)| *owner == name) {
        match said {
            Said::Service(service) => reply.services.push(service),
            Said::Text(text) => reply.texts.push(text),
            Said::Alias(_) => {}
        }
    }
}
