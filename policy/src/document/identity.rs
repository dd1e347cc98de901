//! Identity patterns as people write them: what can never match is a mistake, for a rule that is silently about
//! nothing protects nobody.

use super::reader::{Reader, Text, shown};
use crate::rules::{VersionPattern, is_range, package_kind};

/// The patterns of a list, as written; the wrong ones are reported and left out.
pub(super) fn identity_patterns(r: &mut Reader<'_>, texts: &[Text<'_>]) -> Vec<String> {
    texts.iter().filter(|text| is_identity_pattern(r, text)).map(|text| text.text.to_owned()).collect()
}

fn is_identity_pattern(r: &mut Reader<'_>, text: &Text<'_>) -> bool {
    let pattern = text.text;
    let wrong = if pattern == "*" {
        None
    } else if let Some(package) = pattern.strip_prefix("pkg:") {
        wrong_package(package)
    } else if let Some(hash) = pattern.strip_prefix("file:sha256:") {
        wrong_hash(pattern, hash)
    } else if let Some(hash) =
        ["command:sha256:", "script:sha256:"].iter().find_map(|kind| pattern.strip_prefix(kind))
    {
        wrong_hash(pattern, hash)
    } else if let Some(path) = pattern.strip_prefix("file:") {
        wrong_path(path)
    } else if ["https://", "demo:"].iter().any(|kind| pattern.len() > kind.len() && pattern.starts_with(kind))
    {
        None
    } else {
        Some((
            format!("`{}` is no identity", shown(pattern)),
            "servers are named by what really runs: `pkg:npm/NAME`, `pkg:pypi/NAME`, `file:sha256:…`; \
             `stockade inspect -- CMD` shows it",
        ))
    };
    match wrong {
        None => true,
        Some((what, remedy)) => {
            r.wrong(text.at, what, Some(remedy.to_owned()));
            false
        }
    }
}

fn wrong_package(package: &str) -> Option<(String, &'static str)> {
    let whole = format!("pkg:{package}");
    if let Some(image) = package.strip_prefix("oci/") {
        return wrong_image(image, &whole);
    }
    if package.contains(['?', '#']) {
        let what = format!("qualifiers in `{}` are not supported by this version yet", shown(&whole));
        return Some((what, "leave out everything from `?` or `#` on"));
    }
    if is_range(package) {
        return wrong_range(package, &whole);
    }
    let (kind, name) = package.split_once('/').unwrap_or((package, ""));
    if kind != "*" && (name.is_empty() || kind.is_empty()) {
        let what = format!("`{}` names no package", shown(&whole));
        return Some((what, "write `pkg:KIND/NAME`, such as `pkg:npm/@scope/name` or `pkg:pypi/name`"));
    }
    if name.ends_with('@') {
        let what = format!("`{}` has an empty version", shown(&whole));
        return Some((what, "leave out the `@` for every version"));
    }
    None
}

/// A package with a version range.
fn wrong_range(package: &str, whole: &str) -> Option<(String, &'static str)> {
    const REMEDY: &str = "write bounds with commas between them, all of which hold: `pkg:npm/NAME@>=1.2,<2`";
    // The version follows the first `@` that does not begin a part of the name.
    let mut places = package.match_indices('@').map(|(at, _)| at);
    let Some((name, range)) = places.find(|at| !package[..*at].ends_with('/')).map(|at| package.split_at(at))
    else {
        return Some((format!("`{}` is no name of a package", shown(whole)), REMEDY));
    };
    if is_range(name) || name.starts_with('*') {
        return Some((
            format!("`{}` has a range and not the kind and name of one package", shown(whole)),
            REMEDY,
        ));
    }
    let kind = package_kind(whole).to_ascii_lowercase();
    let wrong = VersionPattern::new(&kind, range.trim_start_matches('@')).err()?;
    Some((format!("the version range in `{}`: {}", shown(whole), shown(&wrong)), REMEDY))
}

/// Behind `pkg:oci/`: the repository with its registry, and a digest.
fn wrong_image(image: &str, whole: &str) -> Option<(String, &'static str)> {
    const REMEDY: &str =
        "write the whole repository, `pkg:oci/ghcr.io/owner/name`, and `@sha256:…` for one image of it";
    let (name, qualifiers) = image.split_once('?').unwrap_or((image, ""));
    let (name, version) = name.split_once('@').map_or((name, None), |(name, version)| (name, Some(version)));
    let located = qualifiers.split('&').any(|part| part.starts_with("repository_url="));
    let any = name.contains('*');
    let what = match version {
        _ if name.is_empty() => "names no image",
        _ if !(located || any || name.contains('/')) => "names an image without its registry",
        Some(version)
            if !(version.starts_with("sha256:")
                || version.starts_with("sha256%3A")
                || version.contains('*')) =>
        {
            "has a tag for a version, and a tag can be moved"
        }
        _ => return None,
    };
    Some((format!("`{}` {what}", shown(whole)), REMEDY))
}

/// `pattern` is the whole, `hash` what stands behind its prefix.
fn wrong_hash(pattern: &str, hash: &str) -> Option<(String, &'static str)> {
    let hex = hash.trim_end_matches('*');
    let cut = hex.len() < hash.len();
    let right = hex.bytes().all(|b| b.is_ascii_hexdigit())
        && if cut { (1..64).contains(&hex.len()) } else { hex.len() == 64 };
    (!right).then(|| {
        let what = format!("`{}` is no SHA-256", shown(pattern));
        (what, "write 64 hex digits; `stockade inspect -- CMD` shows them")
    })
}

/// Large programs are named by their path.
fn wrong_path(path: &str) -> Option<(String, &'static str)> {
    (!path.starts_with('/')).then(|| {
        let what = format!("`file:{}` is no file", shown(path));
        (what, "write `file:sha256:` and 64 hex digits, or `file:` and an absolute path")
    })
}
