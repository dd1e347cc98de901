//! Claude Desktop. The app writes its own preferences into the same file.

use crate::clients::registry::{Base, Client, Os, Place, Scopes};

/// Electron keeps application data in `$XDG_CONFIG_HOME` on Linux, in `%APPDATA%` on Windows.
pub(crate) const CLIENT: Client = Client {
    id: "claude-desktop",
    name: "Claude Desktop",
    places: &[
        Place {
            os: Os::Linux,
            base: Base::Variable("XDG_CONFIG_HOME"),
            below: "Claude/claude_desktop_config.json",
        },
        Place { os: Os::Linux, base: Base::Home, below: ".config/Claude/claude_desktop_config.json" },
        Place {
            os: Os::Mac,
            base: Base::Home,
            below: "Library/Application Support/Claude/claude_desktop_config.json",
        },
        Place {
            os: Os::Windows,
            base: Base::Variable("APPDATA"),
            below: "Claude/claude_desktop_config.json",
        },
        Place {
            os: Os::Windows,
            base: Base::Home,
            below: "AppData/Roaming/Claude/claude_desktop_config.json",
        },
    ],
    scopes: Scopes::User,
    reload: "quit it and start it again, it reads its config only then",
};
