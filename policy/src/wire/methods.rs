//! The methods that some revision of MCP (2024-11-05 to 2026-07-28) or a published extension knows, by direction and kind.

use super::Direction;

/// Requests and notifications have different names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MethodKind {
    Request,
    Notification,
}

const REQUESTS_TO_SERVER: &[&str] = &[
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "resources/directory/read",
    "subscriptions/listen",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "tasks/get",
    "tasks/result",
    "tasks/list",
    "tasks/cancel",
    "tasks/update",
    "skills/list",
    "skills/get",
];

const REQUESTS_TO_CLIENT: &[&str] = &[
    "ping",
    "sampling/createMessage",
    "roots/list",
    "elicitation/create",
    "tasks/get",
    "tasks/result",
    "tasks/list",
    "tasks/cancel",
];

const NOTIFICATIONS_TO_SERVER: &[&str] = &[
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
];

const NOTIFICATIONS_TO_CLIENT: &[&str] = &[
    "notifications/cancelled",
    "notifications/progress",
    "notifications/message",
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/subscriptions/acknowledged",
    "notifications/elicitation/complete",
    "notifications/tasks/status",
    "notifications/tasks",
];

/// All of them, those of both directions more than once: what a method must not merely look like.
pub(super) const ALL: [&[&str]; 4] =
    [REQUESTS_TO_SERVER, REQUESTS_TO_CLIENT, NOTIFICATIONS_TO_SERVER, NOTIFICATIONS_TO_CLIENT];

/// The method's own name if a revision of MCP knows it in this direction.
pub(crate) fn known(method: &str, direction: Direction, kind: MethodKind) -> Option<&'static str> {
    let table = match (kind, direction) {
        (MethodKind::Request, Direction::ToServer) => REQUESTS_TO_SERVER,
        (MethodKind::Request, Direction::ToClient) => REQUESTS_TO_CLIENT,
        (MethodKind::Notification, Direction::ToServer) => NOTIFICATIONS_TO_SERVER,
        (MethodKind::Notification, Direction::ToClient) => NOTIFICATIONS_TO_CLIENT,
    };
    table.iter().find(|name| **name == method).copied()
}

/// Whether 2026-07-28 took this request to the server away.
pub(crate) fn was_removed(method: &str) -> bool {
    const REMOVED: [&str; 7] = [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/result",
        "tasks/list",
    ];
    REMOVED.contains(&method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_known_only_in_its_direction_and_kind() {
        let request = MethodKind::Request;
        assert_eq!(known("tools/call", Direction::ToServer, request), Some("tools/call"));
        assert_eq!(known("tools/call", Direction::ToClient, request), None);
        assert_eq!(known("tools/call", Direction::ToServer, MethodKind::Notification), None);
        assert_eq!(
            known("sampling/createMessage", Direction::ToClient, request),
            Some("sampling/createMessage")
        );
        assert_eq!(known("vendor/thing", Direction::ToServer, request), None);
    }

    #[test]
    fn notifications_have_the_prefix_and_requests_do_not() {
        let notifications = [NOTIFICATIONS_TO_SERVER, NOTIFICATIONS_TO_CLIENT].concat();
        assert!(notifications.iter().all(|name| name.starts_with("notifications/")));
        let requests = [REQUESTS_TO_SERVER, REQUESTS_TO_CLIENT].concat();
        assert!(requests.iter().all(|name| !name.starts_with("notifications/")));
    }
}
