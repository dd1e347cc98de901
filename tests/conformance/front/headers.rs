//! Headers of a request, and what they have to repeat of its body.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde_json::Value;

/// By name in lower case.
pub(crate) struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The first line and the headers.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<(String, Self)> {
        let mut first = String::new();
        from.read_line(&mut first)?;
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => {
                    headers.insert(name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned())
                }
                None => return Ok((first, Self(headers))),
            };
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// No page of another origin asks.
    pub(crate) fn is_local(&self) -> bool {
        let is_local = |host: &str| {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            matches!(name, "127.0.0.1" | "localhost" | "[::1]")
        };
        self.get("host").is_some_and(is_local)
            && self.get("origin").is_none_or(|origin| {
                origin.split_once("://").is_some_and(|(_, host)| is_local(host.trim_end_matches('/')))
            })
    }

    /// Whether headers say what the body says.
    ///
    /// # Errors
    /// When one differs, or is missing.
    pub(crate) fn repeat(
        &self,
        message: &Value,
        mirrored: &BTreeMap<String, BTreeMap<String, String>>,
    ) -> Result<(), &'static str> {
        let params = &message["params"];
        if self.get("mcp-method") != message["method"].as_str() {
            return Err("`Mcp-Method` does not repeat the method");
        }
        let version = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
        if version.is_some() && self.get("mcp-protocol-version") != version {
            return Err("`MCP-Protocol-Version` does not repeat the version");
        }
        let name = match message["method"].as_str().unwrap_or_default() {
            "tools/call" | "prompts/get" => &params["name"],
            "resources/read" => &params["uri"],
            "tasks/get" | "tasks/update" | "tasks/cancel" => &params["taskId"],
            _ => &Value::Null,
        };
        if self.value("mcp-name").as_deref() != name.as_str() && !name.is_null() {
            return Err("`Mcp-Name` does not repeat the name");
        }
        let arguments = mirrored.get(name.as_str().unwrap_or_default()).into_iter().flatten();
        for (argument, header) in arguments.filter(|_| message["method"] == "tools/call") {
            let said = self.value(&format!("mcp-param-{}", header.to_ascii_lowercase()));
            let meant = match &params["arguments"][argument] {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            if said != meant {
                return Err("an `Mcp-Param-*` header does not repeat its argument");
            }
        }
        Ok(())
    }

    /// What a header says, decoded; what cannot be decoded says nothing that a body could.
    fn value(&self, name: &str) -> Option<String> {
        let raw = self.get(name)?;
        let encoded = raw.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
        match encoded {
            Some(encoded) => Some(decoded(encoded).unwrap_or_else(|| "\0".to_owned())),
            None => Some(raw.to_owned()),
        }
    }
}

/// Arguments that a schema wants repeated, with the ends of their headers' names.
pub(crate) fn mirrored(schema: &Value) -> BTreeMap<String, String> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .filter_map(|(name, property)| Some((name.clone(), property["x-mcp-header"].as_str()?.to_owned())))
        .collect()
}

/// Base64 with its padding, nothing else.
fn decoded(text: &str) -> Option<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bare = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - bare.len() > 2 {
        return None;
    }
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for byte in bare.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == byte)?;
        held = (held << 6) | u32::try_from(digit).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    String::from_utf8(bytes).ok()
}
