//! Claude Code. The file is its state as well, and it rewrites it all the time.

use crate::clients::registry::{Base, Client, Os, Place, Scopes};

const FILE: &str = ".claude.json";
const MOVED: Base = Base::Variable("CLAUDE_CONFIG_DIR");

/// Entries of one project (`projects.PATH.mcpServers`) are private to the user too, and go before those at the top.
pub(crate) const CLIENT: Client = Client {
    id: "claude-code",
    name: "Claude Code",
    places: &[
        Place { os: Os::Linux, base: MOVED, below: FILE },
        Place { os: Os::Linux, base: Base::Home, below: FILE },
        Place { os: Os::Mac, base: MOVED, below: FILE },
        Place { os: Os::Mac, base: Base::Home, below: FILE },
        Place { os: Os::Windows, base: MOVED, below: FILE },
        Place { os: Os::Windows, base: Base::Home, below: FILE },
    ],
    scopes: Scopes::UserAndProjects,
    reload: "new sessions use the change; in a running one choose Reconnect under `/mcp`",
};
