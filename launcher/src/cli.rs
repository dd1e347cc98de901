//! What can be typed. No I/O but clap's own help and error texts.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::exit::Exit;

mod add;
mod agent;
mod approve;
mod bisect;
mod demo;
mod dlp;
mod identify;
mod learn;
mod login;
mod managed;
mod packages;
mod pause;
mod policy;
mod profile;
mod request;
mod secrets;
mod status;
mod why;

pub use add::{AddArgs, RemoveArgs};
pub use agent::{AgentCommand, AgentInstallArgs, OsArg};
pub use approve::{ApprovalsArgs, ApprovalsCommand, ApproveArgs, TermArg};
pub use bisect::{BisectArgs, BisectSessionArgs};
pub use demo::{DemoArgs, DemoServerArgs, DemoSessionArgs, Protection, StartingPolicy};
pub use dlp::{DlpCommand, DlpFingerprintArgs, DlpReportArgs, DlpScanArgs, SuppressedArg};
pub use identify::IdentifyArgs;
pub use learn::LearnArgs;
pub use login::LoginCommand;
pub use managed::ManagedArgs;
pub use packages::{FetchArgs, FetchCheckArgs, PinKind, PinsCommand};
pub use pause::PauseArgs;
pub use policy::{InitArgs, InitChoice, PolicyAbout, PolicyCommand, PolicyExplainArgs, PolicyReplayArgs};
pub use profile::{ProfileCommand, ProfileTestArgs, ProfileTestPrint, ProfileTrialArgs};
pub use request::{RequestArgs, RequestsArgs, RequestsCommand};
pub use secrets::SecretsCommand;
pub use status::StatusArgs;
pub use why::WhyArgs;

/// Start MCP servers in a jail, mediate every message, record every decision.
#[derive(Debug, Parser)]
#[command(name = "stockade", version, about, long_about = None, propagate_version = false, max_term_width = 100)]
#[command(
    after_help = "Start with `stockade demo`, then `stockade doctor`. What happened is in `stockade log`."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a server in its jail and mediate between it and the client on stdin and stdout
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Start any program in the jail that `run` would make, with nobody between it and your stdin, stdout and stderr
    #[command(after_help = JAIL_EXAMPLES)]
    Jail(JailCommandArgs),
    /// Start a server in its jail as a client would, and show what it offers and what holds it
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
    /// Say what a command line really runs, and how it is known: package, image, file or script
    #[command(after_help = identify::IDENTIFY_EXAMPLES)]
    Identify(IdentifyArgs),
    /// Find out what a server needs: watch it in a wide but fenced jail, and propose the least profile with evidence
    #[command(after_help = learn::LEARN_EXAMPLES)]
    Learn(LearnArgs),
    /// Find out which part of Stockade breaks a call, and the one grant that mends it
    #[command(after_help = bisect::BISECT_EXAMPLES)]
    Bisect(BisectArgs),
    /// Show side by side what a rogue server can do bare and under Stockade; needs nothing installed
    #[command(after_help = demo::DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Show what was decided
    #[command(after_help = LOG_EXAMPLES)]
    Log(LogArgs),
    /// Tell the whole story of one recorded event: what was called, which rule decided, what the model was told, what the way out is
    #[command(after_help = why::WHY_EXAMPLES)]
    Why(WhyArgs),
    /// Let pass what a rule asks about: a call or a tool, once, for a session or for a time
    #[command(after_help = approve::APPROVE_EXAMPLES)]
    Approve(ApproveArgs),
    /// List what was approved, and take it back
    #[command(after_help = approve::APPROVALS_EXAMPLES)]
    Approvals(ApprovalsArgs),
    /// Let the policy only record, for one server and a short time
    #[command(after_help = pause::PAUSE_EXAMPLES)]
    Pause(PauseArgs),
    /// Keep a refusal with its evidence, for whoever writes the policy
    #[command(after_help = request::REQUEST_EXAMPLES)]
    Request(RequestArgs),
    /// List what was requested, with the lines of a policy that would grant it
    #[command(after_help = request::REQUESTS_EXAMPLES)]
    Requests(RequestsArgs),
    /// List every client and server found here, and whether it is under Stockade
    #[command(after_help = status::STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Put Stockade in front of the servers in the clients' configs
    #[command(after_help = WRAP_EXAMPLES)]
    Wrap(WrapArgs),
    /// Take Stockade out of the clients' configs again, byte for byte
    #[command(
        after_help = "Examples:\n  stockade unwrap --dry-run\n  stockade unwrap --client cursor --server github"
    )]
    Unwrap(WrapArgs),
    /// Enter a server into a client's config, under Stockade from its first start on
    #[command(after_help = add::ADD_EXAMPLES)]
    Add(AddArgs),
    /// Take a server out of a client's config
    #[command(after_help = add::REMOVE_EXAMPLES)]
    Remove(RemoveArgs),
    /// The process that wraps new servers by itself, and keeps an inventory
    #[command(subcommand, after_help = agent::AGENT_EXAMPLES)]
    Agent(AgentCommand),
    /// Do what the agent does, in the foreground
    Watch,
    /// Print the file by which an administrator makes a client start servers only through Stockade
    #[command(after_help = managed::MANAGED_EXAMPLES)]
    ManagedSettings(ManagedArgs),
    /// Say what this host can enforce, what each gap means, and what to do about it
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Fetch a server's package and pin its whole tree, so that its first start need not
    #[command(after_help = packages::FETCH_EXAMPLES)]
    Fetch(FetchArgs),
    /// Show, compare, approve and forget pins: of packages, and of what servers say of their tools
    #[command(subcommand)]
    Pins(PinsCommand),
    /// Give servers their own logins (tokens that they keep in your home directory), which their jails hide
    #[command(subcommand, after_help = login::LOGIN_EXAMPLES)]
    Login(LoginCommand),
    /// Keep the tokens of clients' configs in the system's keychain, where only the launcher takes them out
    #[command(subcommand, after_help = secrets::SECRETS_EXAMPLES)]
    Secrets(SecretsCommand),
    /// A question to the keychain
    #[command(hide = true)]
    KeychainStep,
    /// Look for secrets, personal data and keywords by hand, and list what can be found
    #[command(subcommand)]
    Dlp(DlpCommand),
    /// Write a starting policy as your own policy file, explained line by line
    #[command(after_help = policy::INIT_EXAMPLES)]
    Init(InitArgs),
    /// Work with policy files
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Work with profiles
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Print completions for a shell
    #[command(
        after_help = "Example:\n  stockade completions bash > ~/.local/share/bash-completion/completions/stockade"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The rogue server of `demo`
    #[command(hide = true)]
    DemoServer(DemoServerArgs),
    /// One jailed session of `demo`
    #[command(hide = true)]
    DemoSession(DemoSessionArgs),
    /// One attempt of `bisect`
    #[command(hide = true)]
    BisectSession(BisectSessionArgs),
    /// One server of `profile test`
    #[command(hide = true)]
    ProfileTrial(ProfileTrialArgs),
    /// One jailed step of a fetch
    #[command(hide = true)]
    FetchStep,
    /// The daily question to a registry
    #[command(hide = true)]
    FetchCheck(FetchCheckArgs),
    /// A part in `doctor --prove`
    #[command(hide = true)]
    ProveProbe {
        /// Which part, and its words
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

/// What decides over a jail, shared by `run`, `jail` and `inspect`.
#[derive(Args, Clone, Debug, Default)]
pub struct JailArgs {
    /// Profile to use instead of the one that matches the server
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// One more policy layer; it can only tighten what is in force
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Let the server read this path and what is below it (recorded; a policy can forbid it)
    #[arg(long, value_name = "PATH")]
    pub grant_read: Vec<PathBuf>,
    /// Let the server read and write this path and what is below it (recorded; a policy can forbid it)
    #[arg(long, value_name = "PATH")]
    pub grant_write: Vec<PathBuf>,
    /// Let the server connect to this host at this port: api.example.org:443, localhost:3000, 10.0.0.5:22 (recorded; a
    /// policy can forbid it)
    #[arg(long, value_name = "HOST:PORT")]
    pub grant_net: Vec<String>,
    /// Give the server this variable: NAME passes ours on, NAME=VALUE sets it
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,
    /// Mechanism that carries the jail
    #[arg(long, value_enum, default_value_t = BackendArg::Auto)]
    pub backend: BackendArg,
    /// Lines that are tried beside the profile's: `bisect` only, no flag.
    #[arg(skip)]
    pub fragment: Option<String>,
}

/// `--backend`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BackendArg {
    /// The strongest that this host offers
    #[default]
    Auto,
    /// Namespaces, Landlock and seccomp; refuse if they cannot be had
    Namespaces,
    /// Landlock and seccomp, with a supervisor that connects on the server's behalf
    Notify,
    /// Landlock and seccomp alone
    Static,
}

/// `run`
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Which entry of which client's config this is (written by `wrap`)
    #[arg(long, value_name = "CLIENT/NAME")]
    pub id: Option<String>,
    /// The jail.
    #[command(flatten)]
    pub jail: JailArgs,
    /// Print the plan and start nothing
    #[arg(long)]
    pub explain: bool,
    /// Also record which files the jail denies: for diagnosis, every file opened costs about 70 µs
    #[arg(long)]
    pub observe: bool,
    /// The server's command
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `jail`
#[derive(Args, Clone, Debug)]
pub struct JailCommandArgs {
    /// The jail.
    #[command(flatten)]
    pub jail: JailArgs,
    /// Print the plan and start nothing
    #[arg(long)]
    pub explain: bool,
    /// What to look for and show of what the jail denied
    #[command(flatten)]
    pub show: ShowArgs,
    /// The program's command
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// What `jail` looks for and shows of denials.
#[derive(Args, Clone, Copy, Debug)]
pub struct ShowArgs {
    /// Also find out which files the jail denied: every file opened costs about 70 µs
    #[arg(long)]
    pub observe: bool,
    /// At the end say on stderr what was denied, also where stderr is no terminal
    #[arg(long)]
    pub denials: bool,
}

/// `inspect`
#[derive(Args, Clone, Debug)]
pub struct InspectArgs {
    /// The jail.
    #[command(flatten)]
    pub jail: JailArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The server's command
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `log`
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// Which part of the log
    #[command(flatten)]
    pub part: LogPart,
    /// Only this verdict: allow, deny, ask, monitor, redact, block, refused
    #[arg(long, value_name = "VERDICT")]
    pub verdict: Option<String>,
    /// Only servers whose name or identity holds this text
    #[arg(long, value_name = "SERVER")]
    pub server: Option<String>,
    /// Print JSON, an object a line: the records as they are stored, or with --denied a server
    #[arg(long)]
    pub json: bool,
}

/// Which part of the log.
#[derive(Args, Clone, Copy, Debug)]
pub struct LogPart {
    /// Go on printing what is added
    #[arg(long, short)]
    pub follow: bool,
    /// What jails denied in recent sessions, by server, with the lines of a profile that would allow it
    #[arg(long, conflicts_with_all = ["follow", "verdict"])]
    pub denied: bool,
}

/// `wrap`, `unwrap`
#[derive(Args, Clone, Debug)]
pub struct WrapArgs {
    /// Only this client, by its id as in `status --json`: claude-code, cursor, codex …
    #[arg(long, value_name = "CLIENT")]
    pub client: Option<String>,
    /// Only the server of this name
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
    /// Show the change as a diff and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// `wrap` alone: write `run ID` and keep the command in the journal, for allowlists that name every word of a command line
    #[arg(long)]
    pub short: bool,
    /// `wrap` alone: what becomes of servers that the files of the project in this directory name; else as the policy says
    #[arg(long, value_enum, value_name = "WAY")]
    pub project_files: Option<ProjectFilesArg>,
}

/// `--project-files`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProjectFilesArg {
    /// List them, and leave them as they are
    Report,
    /// Write a wrapped entry of the same name into a nearer scope of your own, where the client has one (Claude Code)
    Shadow,
    /// Wrap them in the project's file, which may be under version control
    Rewrite,
}

/// `doctor`
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Run the escape probes here and now, without a jail and in each backend, and compare with what is claimed (some
    /// seconds; nothing outside of a temporary directory is touched)
    #[arg(long)]
    pub prove: bool,
    /// With --prove: only this mechanism
    #[arg(long, value_enum, requires = "prove")]
    pub backend: Vec<BackendArg>,
    /// With --prove: what this profile grants is granted in the jail of the probes, too
    #[arg(long, value_name = "NAME", requires = "prove")]
    pub profile: Option<String>,
    /// With --prove: only probes whose id holds this
    #[arg(long, value_name = "WORD", requires = "prove")]
    pub only: Vec<String>,
    /// With --prove: print the page docs/guarantees.md
    #[arg(long, hide = true, requires = "prove", conflicts_with = "json")]
    pub markdown: bool,
}

const RUN_EXAMPLES: &str = "\
Examples:
  stockade run -- node /opt/mcp/server-everything/dist/index.js
  stockade run --grant-write ~/notes -- mcp-server-filesystem ~/notes
  stockade run --env GITHUB_TOKEN --explain -- ./github-server
  stockade run --policy team.toml -- mcp-server-git --repository .

Exit code: the server's own (128+N for signal N); 125 Stockade failed, 126 not executable, 127 not found.";
const JAIL_EXAMPLES: &str = "\
Examples:
  stockade jail -- sh -c 'cat ~/.ssh/id_rsa'
  stockade jail --profile default --explain -- python3 server.py
  stockade jail --observe --denials --grant-read ~/notes -- grep -r todo ~/notes

The program has pipes and no terminal: input comes by lines, and what wants a terminal (a shell's prompt, an editor)
does not get one. What it writes reaches yours unchanged. No message is judged; use `run` for that.

Exit code: the program's own (128+N for signal N); 125 Stockade failed, 126 not executable, 127 not found.";
const INSPECT_EXAMPLES: &str = "\
Examples:
  stockade inspect -- mcp-server-time
  stockade inspect --json -- node server.js | jq .tools";
const DOCTOR_EXAMPLES: &str = "Examples:
  stockade doctor
  stockade doctor --prove
  stockade doctor --prove --backend notify --only G2

Exit code 0: every guarantee can be had in full (--prove: no probe passes where a jail claims to be full); 1: something is \
missing (--prove: a claim is broken).";

const LOG_EXAMPLES: &str = "\
Examples:
  stockade log
  stockade log --follow --verdict deny
  stockade log --denied --server github
  stockade log --server github --json | jq .what.reason";
const WRAP_EXAMPLES: &str = "\
Examples:
  stockade wrap --dry-run
  stockade wrap --client claude-code
  stockade unwrap";

/// Arguments → command; or the exit code after help, version or an error was printed.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, Exit> {
    let args: Vec<OsString> = args.collect();
    let is_run = args.get(1).is_some_and(|verb| verb == "run" || verb == "jail" || verb == "learn");
    match Cli::try_parse_from(args) {
        Ok(cli) => Ok(cli.command),
        Err(error) => {
            // Nothing can be said to anybody if neither stdout nor stderr takes it.
            let _ = error.print();
            Err(match (error.use_stderr(), is_run) {
                (false, _) => Exit::Ok,
                (true, true) => Exit::RunFailed,
                (true, false) => Exit::Usage,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_after_the_server_command_are_the_servers() {
        let words = ["stockade", "run", "--", "srv", "--profile", "x", "--", "-v"];
        let Ok(Command::Run(run)) = parse(words.iter().map(OsString::from)) else { panic!("not parsed") };
        assert_eq!(run.command, ["srv", "--profile", "x", "--", "-v"]);
        assert_eq!(run.jail.profile, None);
    }
}
