//! Cursor. It watches the file.

use crate::clients::registry::{Base, Client, Os, Place, Scopes};

const FILE: &str = ".cursor/mcp.json";

/// `~/.cursor/mcp.json` on every system.
pub(crate) const CLIENT: Client = Client {
    id: "cursor",
    name: "Cursor",
    places: &[
        Place { os: Os::Linux, base: Base::Home, below: FILE },
        Place { os: Os::Mac, base: Base::Home, below: FILE },
        Place { os: Os::Windows, base: Base::Home, below: FILE },
    ],
    scopes: Scopes::User,
    reload: "restart it, or toggle the server in its MCP settings; it may ask once about a changed server",
};
