//! `dlp fingerprint`: the rows of a CSV file → a file of keyed hashes. No value is printed or written.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use stockade_policy::detect::{
    FingerprintReport, Fingerprints, FingerprintsRefused, Matching, can_be_guessed,
};

use super::print;
use crate::cli::DlpFingerprintArgs;
use crate::commands::screen::harmless;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::policies::FINGERPRINTS_BYTES_MAX;

/// Columns of a table, by name, and its rows with these alone.
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Makes the file.
pub(super) fn fingerprint(args: &DlpFingerprintArgs) -> Result<Exit, Failure> {
    let name = name(args)?;
    let table = read(&args.file, &args.columns)?;
    let matching = matching(&table, args)?;
    let (fingerprints, report) =
        Fingerprints::of_rows(&table.rows, matching, key()?).map_err(|why| refused(args, why))?;
    let bytes = fingerprints.to_bytes();
    if bytes.len() as u64 > FINGERPRINTS_BYTES_MAX {
        return Err(refused(args, FingerprintsRefused::TooLarge));
    }
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.fingerprints")));
    write(&out, &bytes)?;
    print(&told(&table, &report, (&out, bytes.len())))?;
    print(&meaning(matching, &name, &out))?;
    if args.accept_reversible && can_be_found_out(&table) {
        eprintln!(
            "warning: the values can be found out from {}: its key is in it, so whoever has the file can try all values that \
             there could be; give it only to machines that may know them",
            out.display()
        );
    }
    Ok(Exit::Ok)
}

/// The name in policies.
fn name(args: &DlpFingerprintArgs) -> Result<String, Failure> {
    let stem = args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = args.name.clone().or(stem).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') {
        return Ok(name);
    }
    Err(Failure::new(Kind::Usage, format!("a table cannot be called `{}`", harmless(&name)))
        .hint("name it with --name: 1 to 64 letters, digits, `-`, `_` and `.`"))
}

fn read(path: &Path, wanted: &[String]) -> Result<Table, Failure> {
    let shown = path.display();
    // An error of the reader tells line and field, never what stands there.
    let wrong = |error: &csv::Error| {
        Failure::new(Kind::Usage, format!("cannot read {shown} as a table")).because(error).hint(
            "it has to be CSV in UTF-8, with commas, as many fields in every row, and the names of the columns in the first",
        )
    };
    let mut reader = csv::Reader::from_path(path).map_err(|error| wrong(&error))?;
    let trimmed = |text: &str| text.trim().trim_start_matches('\u{feff}').to_owned();
    let columns: Vec<String> = reader.headers().map_err(|error| wrong(&error))?.iter().map(trimmed).collect();
    let chosen = chosen(&columns, wanted).map_err(|unknown| {
        let known = columns.iter().map(|name| format!("`{}`", harmless(name))).collect::<Vec<_>>().join(", ");
        Failure::new(Kind::Usage, format!("{shown} has no column {}", unknown.join(", ")))
            .cause(format!("its columns are {known}"))
            .hint("name them as they are written in its first row")
    })?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(&error))?;
        rows.push(chosen.iter().map(|at| record.get(*at).unwrap_or("").to_owned()).collect());
    }
    Ok(Table { columns: chosen.iter().map(|at| columns[*at].clone()).collect(), rows })
}

/// Where the wanted columns stand, or the names of those that are not there.
fn chosen(columns: &[String], wanted: &[String]) -> Result<Vec<usize>, Vec<String>> {
    if wanted.is_empty() {
        return Ok((0..columns.len()).collect());
    }
    let (mut chosen, mut unknown) = (Vec::new(), Vec::new());
    for name in wanted {
        match columns.iter().position(|column| column.eq_ignore_ascii_case(name.trim())) {
            Some(at) if !chosen.contains(&at) => chosen.push(at),
            Some(_) => {}
            None => unknown.push(format!("`{}`", harmless(name))),
        }
    }
    if unknown.is_empty() { Ok(chosen) } else { Err(unknown) }
}

/// Rows by two of their values, unless somebody accepted what one alone means or it cannot be guessed.
fn matching(table: &Table, args: &DlpFingerprintArgs) -> Result<Matching, Failure> {
    if args.accept_reversible {
        return Ok(Matching::Alone);
    }
    match table.columns.len() {
        0 | 1 if can_be_found_out(table) => Err(refused(args, FingerprintsRefused::Guessable)),
        0 | 1 => Ok(Matching::Alone),
        _ => Ok(Matching::Rows),
    }
}

fn can_be_found_out(table: &Table) -> bool {
    (0..table.columns.len())
        .any(|column| can_be_guessed(table.rows.iter().filter_map(|row| row.get(column)).map(String::as_str)))
}

fn key() -> Result<[u8; 32], Failure> {
    let mut key = [0; 32];
    let drawn = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut key));
    drawn.map(|()| key).map_err(|error| {
        Failure::new(Kind::Software, "cannot draw a key").because(&error).hint("check /dev/urandom")
    })
}

fn refused(args: &DlpFingerprintArgs, why: FingerprintsRefused) -> Failure {
    let file = args.file.display();
    let failure = Failure::new(Kind::Usage, format!("cannot make fingerprints of {file}")).because(&why);
    match why {
        FingerprintsRefused::Guessable | FingerprintsRefused::OneColumn => failure
            .cause(
                "all nine-digit numbers are hashed in minutes; two values of a row have to be guessed together, which takes as \
                 often as long as there are values of the other",
            )
            .hint("take two columns or more, of which two have to match: `--columns name,number`")
            .hint("or accept that whoever has the file can find the values out: `--accept-reversible`"),
        FingerprintsRefused::Empty => failure.hint(
            "two values of a row need 8 letters and digits together, one that counts alone 6; choose other columns",
        ),
        FingerprintsRefused::TooLarge => {
            failure.hint("take fewer columns with --columns, or split the table: a policy can name many")
        }
    }
}

/// Written beside its place and put there whole, for sessions look at it while they run.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(directory).and_then(|mut file| {
        file.write_all(bytes)?;
        file.as_file().set_permissions(PermissionsExt::from_mode(0o600))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    });
    written.map(drop).map_err(|error| {
        Failure::new(Kind::Permission, format!("cannot write {}", path.display()))
            .because(&error)
            .hint("say where it shall go with --out")
    })
}

fn told(table: &Table, report: &FingerprintReport, (out, bytes): (&Path, usize)) -> String {
    let mut text = format!(
        "{}: {} rows, {} hashes, {} KiB\n",
        out.display(),
        report.rows,
        report.entries,
        bytes.div_ceil(1024)
    );
    for (name, (filled, different)) in table.columns.iter().zip(&report.columns) {
        let _ = writeln!(text, "  {}: {filled} values, {different} different", harmless(name));
    }
    let lines = [
        (
            report.left_out,
            "values left out: too short to tell anything, or of more than 128 letters and digits",
        ),
        (report.shared, "pairs of values left out: too many rows share them"),
        (report.unseen_rows, "rows in which nothing could be found"),
    ];
    for (count, what) in lines.iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(text, "  {count} {what}");
    }
    text
}

fn meaning(matching: Matching, name: &str, out: &Path) -> String {
    let means = match matching {
        Matching::Rows => {
            "Two values of one row have to stand within 512 bytes of each other to be found. The file holds no value, and no hash of \
             one value alone: whoever has it has to guess two of a row together. Its key is in it, so whoever knows one value of \
             a person can try the others: keep it where only administrators write, and away from who need not have it."
        }
        Matching::Alone => {
            "Each value is found alone. The file holds no value, but a hash of each and the key."
        }
    };
    let file =
        out.file_name().map_or_else(|| out.display().to_string(), |file| file.to_string_lossy().into_owned());
    format!("\n{means}\n\nIn a policy beside it:\n\n[exact.{name}]\nfile = \"{file}\"\n")
}
