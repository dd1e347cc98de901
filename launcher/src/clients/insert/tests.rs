use super::*;
use crate::clients::registry::{CLIENTS, Reach, first_of};
use crate::clients::take_out::take_out;

fn server<'a>(name: &'a str, words: &'a [String], env: &'a [(String, String)]) -> NewServer<'a> {
    NewServer { name, words, env }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn added(client: &str, text: &str) -> String {
    let env = [("T".to_owned(), "v \"x\"".to_owned())];
    insert(first_of(client), text.as_bytes(), server("new", &words("npx -y x"), &env))
        .unwrap_or_else(|why| panic!("{why}\n{text}"))
}

fn without(client: &str, text: &str, name: &str) -> Result<String, String> {
    let (_, place) = first_of(client);
    let document = Document::parse(text.as_bytes(), place.format.unwrap()).unwrap();
    let entries = entry::entries(&document, place.layouts).unwrap();
    let entry = entries.iter().find(|entry| entry.place.name == name).unwrap();
    take_out(place, &document, entry)
}

#[test]
fn a_new_entry_is_set_out_like_its_neighbours() {
    for (client, before, after) in [
        (
            "cursor",
            "{\r\n\t\"mcpServers\": {\r\n\t\t\"a\": {\"command\": \"c\"} // mine\r\n\t}\r\n}\r\n",
            "{\r\n\t\"mcpServers\": {\r\n\t\t\"a\": {\"command\": \"c\"}, // mine\r\n\t\t\"new\": {\r\n\t\t\t\"command\": \"npx\",\r\n\t\t\t\"args\": [\"-y\", \"x\"],\r\n\t\t\t\"env\": {\r\n\t\t\t\t\"T\": \"v \\\"x\\\"\"\r\n\t\t\t}\r\n\t\t}\r\n\t}\r\n}\r\n",
        ),
        (
            "cursor",
            "{\"mcpServers\":{\"a\":{\"command\":\"c\"}}}",
            "{\"mcpServers\":{\"a\":{\"command\":\"c\"}, \"new\": { \"command\": \"npx\", \"args\": [\"-y\", \"x\"], \"env\": { \"T\": \"v \\\"x\\\"\" } }}}",
        ),
        (
            "codex",
            "model = \"o\"\n\n[mcp_servers.a]\ncommand = \"c\" # mine\n",
            "model = \"o\"\n\n[mcp_servers.a]\ncommand = \"c\" # mine\n\n[mcp_servers.new]\ncommand = \"npx\"\nargs = [\"-y\", \"x\"]\nenv = { T = \"v \\\"x\\\"\" }\n",
        ),
        (
            "goose",
            "extensions:\n  a:\n    type: stdio\n    cmd: c # mine\nGOOSE_MODEL: x\n",
            "extensions:\n  a:\n    type: stdio\n    cmd: c # mine\n  new:\n    name: \"new\"\n    enabled: true\n    type: \"stdio\"\n    cmd: \"npx\"\n    args: [\"-y\", \"x\"]\n    envs:\n      T: \"v \\\"x\\\"\"\nGOOSE_MODEL: x\n",
        ),
        (
            "continue",
            "mcpServers:\n- name: a\n  command: c\nmodels: []\n",
            "mcpServers:\n- name: a\n  command: c\n- name: \"new\"\n  command: \"npx\"\n  args: [\"-y\", \"x\"]\n  env:\n    T: \"v \\\"x\\\"\"\nmodels: []\n",
        ),
        (
            "opencode",
            "{}\n",
            "{\n  \"mcp\": {\n    \"new\": {\n      \"type\": \"local\",\n      \"command\": [\"npx\", \"-y\", \"x\"],\n      \"environment\": {\n        \"T\": \"v \\\"x\\\"\"\n      }\n    }\n  }\n}\n",
        ),
    ] {
        assert_eq!(added(client, before), after, "{client}");
        assert_eq!(
            without(client, after, "new").unwrap().trim_end(),
            emptied(client, before).trim_end(),
            "{client}"
        );
    }
}

/// What is left of the file when its only server is gone again.
fn emptied(client: &str, before: &str) -> String {
    match client {
        "opencode" => "{\n  \"mcp\": {}\n}\n".to_owned(),
        // The comment behind the neighbour stays where it was, and so does that entry's comma.
        _ => before.to_owned(),
    }
}

#[test]
fn every_client_takes_a_first_entry_in_an_empty_file_and_in_a_missing_one() {
    for client in &CLIENTS {
        for place in client.places.iter().filter(|place| place.is_writable() && place.reach == Reach::User) {
            for before in ["", "\n"] {
                let all = words("node /s.js --a");
                let text = insert((client, place), before.as_bytes(), server("n e.w", &all, &[])).unwrap();
                let document = Document::parse(text.as_bytes(), place.format.unwrap()).unwrap();
                let entries = entry::entries(&document, place.layouts).unwrap();
                assert_eq!(entries.len(), 1, "{}: {text}", client.id);
                assert_eq!(entries[0].place.name, "n e.w");
                let gone = take_out(place, &document, &entries[0]).unwrap();
                let document = Document::parse(gone.as_bytes(), place.format.unwrap()).unwrap();
                assert!(
                    entry::entries(&document, place.layouts).unwrap().is_empty(),
                    "{}: {gone}",
                    client.id
                );
            }
        }
    }
}

#[test]
fn a_name_that_is_taken_and_a_file_without_room_are_refused_and_named() {
    let refused = |client: &str, text: &str| {
        insert(first_of(client), text.as_bytes(), server("a", &words("c"), &[])).unwrap_err()
    };
    assert!(
        refused("cursor", "{\"mcpServers\": {\"a\": {\"command\": \"c\"}}}").contains("`stockade remove`")
    );
    assert!(refused("cursor", "{\"mcpServers\": []}").contains("not an object"));
    assert!(refused("cursor", "{\"mcpServers\": {").contains("malformed"));
}

#[test]
fn an_entry_goes_with_its_comma_and_its_tables_and_nothing_else() {
    for (client, before, after) in [
        (
            "cursor",
            "{\"mcpServers\": {\"x\": {\"command\": \"c\"}, \"b\": {\"command\": \"d\"}}}",
            "{\"mcpServers\": {\"b\": {\"command\": \"d\"}}}",
        ),
        (
            "cursor",
            "{\"mcpServers\": {\"b\": {\"command\": \"d\"}, /* of b */ \"x\": {\"command\": \"c\"}}}",
            "{\"mcpServers\": {\"b\": {\"command\": \"d\"} /* of b */ }}",
        ),
        (
            "cursor",
            "{\"mcpServers\": {\n  // all\n  \"x\": {\"command\": \"c\"},\n}}",
            "{\"mcpServers\": {\n  // all\n}}",
        ),
        (
            "codex",
            "[mcp_servers.x]\ncommand = \"c\"\n[mcp_servers.x.env]\nA = \"1\"\n\n[mcp_servers.b]\ncommand = \"d\"\n",
            "[mcp_servers.b]\ncommand = \"d\"\n",
        ),
        (
            "goose",
            "extensions:\n  x:\n    type: stdio\n    cmd: c\n  # of b\n  b:\n    cmd: d\n",
            "extensions:\n  # of b\n  b:\n    cmd: d\n",
        ),
        ("goose", "extensions:\n  x:\n    cmd: c\nz: 1\n", "extensions:\n  {}\nz: 1\n"),
        (
            "continue",
            "mcpServers:\n  - name: x\n    command: c\n  - name: b\n    command: d\n",
            "mcpServers:\n  - name: b\n    command: d\n",
        ),
    ] {
        assert_eq!(without(client, before, "x").unwrap(), after, "{client}");
    }
}

#[test]
fn tables_that_stand_apart_are_not_torn_out_with_what_is_between() {
    let text =
        "[mcp_servers.x]\ncommand = \"c\"\n[projects.p]\ntrust = \"y\"\n[mcp_servers.x.env]\nA = \"1\"\n";
    assert!(without("codex", text, "x").unwrap_err().contains("by hand"));
}
