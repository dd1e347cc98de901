//! The agent as a service of the user: definitions for the systems' own managers of services.

use std::path::{Path, PathBuf};

use crate::clients::Os;
use crate::host::Facts;

/// Name of the unit of systemd.
pub(crate) const UNIT: &str = "stockade-agent.service";
/// Label of the job of launchd.
const LABEL: &str = "dev.stockade.agent";

/// Where the definition goes for this user, and its text.
/// On Linux with the `PATH` of whoever installs it: that is what the entries' programs are found by later.
pub(crate) fn definition(os: Os, program: &str, facts: &Facts) -> (PathBuf, String) {
    let search_path = facts.var("PATH").and_then(|path| path.to_str()).unwrap_or("");
    match os {
        Os::Linux => (unit_path(facts), unit(program, search_path)),
        Os::Mac => (facts.home.join(format!("Library/LaunchAgents/{LABEL}.plist")), plist(program)),
        Os::Windows => (PathBuf::from("stockade-agent.xml"), task(program)),
    }
}

/// What brings it to life, as a person would type it.
pub(crate) fn start_line(os: Os, path: &Path) -> String {
    match os {
        Os::Linux => format!("systemctl --user daemon-reload && systemctl --user enable --now {UNIT}"),
        Os::Mac => format!("launchctl bootstrap gui/$(id -u) '{}'", path.display()),
        Os::Windows => format!("schtasks /Create /TN \\Stockade\\Agent /XML {}", path.display()),
    }
}

fn unit_path(facts: &Facts) -> PathBuf {
    let base = facts.var("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.unwrap_or_else(|| facts.home.join(".config")).join("systemd/user").join(UNIT)
}

/// systemd.service(5), systemd.exec(5): quoted as systemd.syntax(7) wants it, `%` doubled.
fn unit(program: &str, search_path: &str) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let program = quoted(program).replace('$', "$$");
    let is_plain = !search_path.is_empty() && !search_path.contains(char::is_control);
    let path =
        if is_plain { format!("Environment=\"PATH={}\"\n", quoted(search_path)) } else { String::new() };
    format!(
        "[Unit]\n\
         Description=Stockade: puts the MCP servers of this user's AI clients in their jails\n\
         Documentation=man:systemd.service(5)\n\
         \n\
         [Service]\n\
         ExecStart=\"{program}\" agent run\n\
         {path}\
         Restart=on-failure\n\
         RestartSec=5\n\
         NoNewPrivileges=yes\n\
         RestrictAddressFamilies=AF_UNIX\n\
         LockPersonality=yes\n\
         Nice=5\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    )
}

/// launchd.plist(5).
fn plist(program: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n\
         <dict>\n\
         \t<key>Label</key>\n\t<string>{LABEL}</string>\n\
         \t<key>ProgramArguments</key>\n\
         \t<array>\n\t\t<string>{}</string>\n\t\t<string>agent</string>\n\t\t<string>run</string>\n\t</array>\n\
         \t<key>RunAtLoad</key>\n\t<true/>\n\
         \t<key>KeepAlive</key>\n\t<dict>\n\t\t<key>SuccessfulExit</key>\n\t\t<false/>\n\t</dict>\n\
         \t<key>ProcessType</key>\n\t<string>Background</string>\n\
         </dict>\n\
         </plist>\n",
        in_xml(program)
    )
}

/// A task that starts when its user logs on: a service of Windows would run as somebody else.
fn task(program: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\n\
         \x20 <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>\n\
         \x20 <Principals><Principal id=\"Author\"><LogonType>InteractiveToken</LogonType><RunLevel>LeastPrivilege</RunLevel></Principal></Principals>\n\
         \x20 <Settings>\n\
         \x20   <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>\n\
         \x20   <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>\n\
         \x20   <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>\n\
         \x20   <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>\n\
         \x20   <RestartOnFailure><Interval>PT1M</Interval><Count>3</Count></RestartOnFailure>\n\
         \x20 </Settings>\n\
         \x20 <Actions Context=\"Author\"><Exec><Command>{}</Command><Arguments>agent run</Arguments></Exec></Actions>\n\
         </Task>\n",
        in_xml(program)
    )
}

fn in_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_every_odd_character_stays_what_it_is() {
        let facts = Facts::gather().unwrap();
        let odd = "/opt/a b & <c>/100%/$x/stockade";
        let (path, unit) = definition(Os::Linux, odd, &facts);
        assert!(path.ends_with("systemd/user/stockade-agent.service"));
        assert!(unit.contains("ExecStart=\"/opt/a b & <c>/100%%/$$x/stockade\" agent run\n"), "{unit}");
        for os in [Os::Mac, Os::Windows] {
            let (_, text) = definition(os, odd, &facts);
            assert!(text.contains("/opt/a b &amp; &lt;c&gt;/100%/$x/stockade<"), "{text}");
        }
    }
}
