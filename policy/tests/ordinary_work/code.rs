//! Source code, diffs and tests.

use crate::dice::Dice;
use crate::words::{camel, constant, kebab, noun, path, sentence, snake, url, verb};

pub(crate) fn source(dice: &mut Dice) -> String {
    let lines = dice.between(20, 70);
    let line = match dice.between(0, 6) {
        0 => rust,
        1 => python,
        2 => typescript,
        3 => go,
        4 => java,
        _ => shell,
    };
    (0..lines).map(|_| line(dice) + "\n").collect()
}

pub(crate) fn diff(dice: &mut Dice) -> String {
    let file = path(dice);
    let (old, new) = (dice.hex(10), dice.hex(10));
    let mut out = format!(
        "diff --git a/{file} b/{file}\nindex {old}..{new} 100644\n--- a/{file}\n+++ b/{file}\n@@ -12,7 +12,9 @@\n"
    );
    for _ in 0..dice.between(15, 45) {
        let line = if dice.between(0, 2) == 0 { typescript(dice) } else { python(dice) };
        out += &format!("{}{line}\n", dice.pick(&[" ", " ", "+", "-"]));
    }
    out
}

fn rust(d: &mut Dice) -> String {
    match d.between(0, 10) {
        0 => format!("    let {} = self.{}.{}()?;", snake(d), snake(d), snake(d)),
        1 => format!(
            "pub fn {}({}: &str, {}: Option<u64>) -> Result<{}, Error> {{",
            snake(d),
            snake(d),
            snake(d),
            camel(d, true)
        ),
        2 => format!("    #[serde(rename = \"{}\")]", camel(d, false)),
        3 => format!("    pub {}: String,", snake(d)),
        4 => format!(
            "        Token::{}(span) => self.{}(span, Token::{}),",
            camel(d, true),
            snake(d),
            camel(d, true)
        ),
        5 => format!("    let password = std::env::var(\"{}\").context(\"{}\")?;", constant(d), sentence(d)),
        6 => format!("    assert_eq!({}.len(), {});", snake(d), d.between(0, 4096)),
        7 => format!("    /// {}", sentence(d)),
        8 => format!("const {}: usize = {:#x};", constant(d), d.between(1, 1 << 40)),
        _ => "    }".to_owned(),
    }
}

fn python(d: &mut Dice) -> String {
    match d.between(0, 10) {
        0 => format!("    {} = os.environ[\"{}\"]", snake(d), constant(d)),
        1 => format!("def {}(self, {}, {}=None, password=None):", snake(d), snake(d), snake(d)),
        2 => format!("    token = self.{}.get(\"{}\")", snake(d), snake(d)),
        3 => format!(
            "    return {{\"{}\": {}, \"token\": token, \"key\": {}}}",
            snake(d),
            d.between(0, 900),
            snake(d)
        ),
        4 => format!("    parser.add_argument(\"--{}\", help=\"{}\")", kebab(d), sentence(d)),
        5 => format!("    password = getpass.getpass(\"{} password: \")", noun(d)),
        6 => format!("        \"\"\"{}\"\"\"", sentence(d)),
        7 => format!("    auth = ({}.username, {}.password)", noun(d), noun(d)),
        8 => format!("    assert {}.hexdigest() == \"{}\"", noun(d), d.hex(64)),
        _ => format!("    for {} in {}({}):", noun(d), snake(d), snake(d)),
    }
}

fn typescript(d: &mut Dice) -> String {
    match d.between(0, 10) {
        0 => format!(
            "  const {} = await this.{}.{}({{ token, {} }});",
            camel(d, false),
            camel(d, false),
            verb(d),
            camel(d, false)
        ),
        1 => format!("  password: string; // {}", sentence(d)),
        2 => format!("  apiKey: process.env.{},", constant(d)),
        3 => format!(
            "    <input type=\"password\" name=\"{}\" placeholder=\"Enter your password\" />",
            camel(d, false)
        ),
        4 => format!("  headers: {{ Authorization: `Bearer ${{{}}}` }},", camel(d, false)),
        5 => format!("  expect({}.token).toBe('test-token');", camel(d, false)),
        6 => format!("  import {{ {} }} from '@{}/{}';", camel(d, true), noun(d), kebab(d)),
        7 => format!("  key: '{}', label: '{}',", kebab(d), sentence(d)),
        8 => format!("  fetch('{}').then((r) => r.json());", url(d)),
        _ => format!("  this.{} = {} ?? '';", camel(d, false), camel(d, false)),
    }
}

fn go(d: &mut Dice) -> String {
    match d.between(0, 7) {
        0 => format!("\t{} := cfg.{}.Password", camel(d, false), camel(d, true)),
        1 => format!("\t{} string `json:\"{}\" env:\"{}\"`", camel(d, true), snake(d), constant(d)),
        2 => format!("\treturn fmt.Errorf(\"{}: %w (token=%s)\", err, {})", snake(d), camel(d, false)),
        3 => format!("\treq.Header.Set(\"Authorization\", \"Bearer \"+{})", camel(d, false)),
        4 => format!(
            "func (s *{}) {}(ctx context.Context, key string) error {{",
            camel(d, true),
            camel(d, true)
        ),
        5 => format!("\t// {}", sentence(d)),
        _ => "\tif err != nil {\n\t\treturn nil, err\n\t}".to_owned(),
    }
}

fn java(d: &mut Dice) -> String {
    match d.between(0, 6) {
        0 => format!("        config.setPassword({}.getPassword());", camel(d, false)),
        1 => format!("    private final String {} = \"{}\";", camel(d, false), snake(d).replace('_', ".")),
        2 => format!("    @Value(\"${{{}}}\")", snake(d).replace('_', ".")),
        3 => format!("    private static final long serialVersionUID = {}L;", d.next() >> 1),
        4 => format!(
            "        log.info(\"{} key={{}} token={{}}\", {}, {});",
            sentence(d),
            camel(d, false),
            camel(d, false)
        ),
        _ => format!(
            "    public {} {}({} {}) {{",
            camel(d, true),
            camel(d, false),
            camel(d, true),
            camel(d, false)
        ),
    }
}

fn shell(d: &mut Dice) -> String {
    match d.between(0, 8) {
        0 => format!("export {}=\"${{{}:-}}\"", constant(d), constant(d)),
        1 => format!("curl -fsSL -H \"Authorization: Bearer ${}\" {}", constant(d), url(d)),
        2 => "PASSWORD=$(pass show \"$1\")".to_owned(),
        3 => format!(
            "docker run --rm -e {}=\"${}\" -u 1000:1000 {}:{}",
            constant(d),
            constant(d),
            noun(d),
            d.version()
        ),
        4 => format!("echo \"{}\"", sentence(d)),
        5 => format!("sha256sum -c <<< \"{}  {}.tar.gz\"", d.hex(64), kebab(d)),
        6 => format!("git checkout {} -- {}", d.hex(40), path(d)),
        _ => format!("[ -n \"${}\" ] || exit {}", constant(d), d.between(1, 9)),
    }
}
