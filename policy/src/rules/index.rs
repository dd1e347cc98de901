//! Which rules of a layer could be about a tool of a server, without a look at the others: policies of security teams have
//! a thousand rules, and a call concerns three of them.

use std::collections::HashMap;

use super::access::AccessRule;
use super::identity::Identities;
use super::item::Item;

/// Places of rules in their layer. A rule stands wherever it could be looked for, and is then asked itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Rules that name tools without a star.
    by_tool: HashMap<Box<str>, Vec<u32>>,
    /// Rules that name servers without a star, and tools with one or none at all.
    by_server: HashMap<Box<str>, Vec<u32>>,
    /// Rules that could be about any tool of any server.
    rest: Vec<u32>,
    /// Rules that name servers without a star, and are about something else than tools, or about everything.
    others_by_server: HashMap<Box<str>, Vec<u32>>,
    /// Such rules about any server.
    about_others: Vec<u32>,
}

impl Index {
    pub(super) fn new(rules: &[AccessRule]) -> Self {
        let mut index = Self::default();
        for (place, rule) in (0..).zip(rules) {
            let servers = rule.servers.iter().map(|server| server.literal()).collect::<Option<Vec<_>>>();
            let servers = servers.filter(|keys| !keys.is_empty());
            if rule.is_about_server() || rule.names_others() {
                match &servers {
                    Some(servers) => put(&mut index.others_by_server, servers, place),
                    None => index.about_others.push(place),
                }
            }
            if !rule.is_about_server() && rule.tools.is_empty() {
                continue;
            }
            let tools = rule.tools.iter().map(|tool| tool.literal()).collect::<Option<Vec<_>>>();
            match (tools.filter(|keys| !keys.is_empty()), servers) {
                (Some(tools), _) => put(&mut index.by_tool, &tools, place),
                (None, Some(servers)) => put(&mut index.by_server, &servers, place),
                (None, None) => index.rest.push(place),
            }
        }
        index
    }

    /// The places of rules that could be about the item, in their order; each at least once.
    pub(super) fn places(&self, identities: &Identities<'_>, item: Item<'_>) -> Vec<u32> {
        let (mut places, by_server) = match item {
            Item::Tool(tool) => {
                let mut places = self.rest.clone();
                places.extend(self.by_tool.get(tool).into_iter().flatten());
                (places, &self.by_server)
            }
            _ => (self.about_others.clone(), &self.others_by_server),
        };
        if !by_server.is_empty() {
            places.extend(identities.names().filter_map(|name| by_server.get(name)).flatten());
        }
        places.sort_unstable();
        places
    }
}

fn put(map: &mut HashMap<Box<str>, Vec<u32>>, keys: &[&str], place: u32) {
    for key in keys {
        map.entry((*key).into()).or_default().push(place);
    }
}
