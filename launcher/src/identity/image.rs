//! Names of container images (the grammar of distribution/reference) and their package URLs.

/// An image as a command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Registry and path: `ghcr.io/github/github-mcp-server`, `docker.io/library/postgres`. Without a registry where the
    /// engine looks for it in several.
    pub repository: String,
    /// `1.2`; `None` is what the engine calls `latest`.
    pub tag: Option<String>,
    /// `sha256:…`
    pub digest: Option<String>,
}

impl Image {
    /// Reads a name as `engine` (`docker`, `podman`) does; `None` for an image's id, a path, an archive.
    pub fn parse(text: &str, engine: &str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon behind the last slash begins the tag; one before it is a port's.
        let slash = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[slash..].find(':') {
            Some(at) => (&rest[..slash + at], Some(&rest[slash + at + 1..])),
            None => (rest, None),
        };
        let is_id = !name.contains('/') && name.len() >= 12 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let fits = is_name(name) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest) && !is_id;
        // `sha256:…` is an id, and no image called sha256.
        (fits && name != "sha256").then(|| Self {
            repository: repository(name, engine),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_ascii_lowercase),
        })
    }

    /// The last part of its name.
    pub fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// `pkg:oci/NAME@sha256:…?repository_url=…&tag=…`: the digest is the version, for a tag can be moved.
    pub fn purl(&self) -> String {
        let version = self.digest.as_ref().map_or_else(String::new, |digest| format!("@{digest}"));
        let tag = self.tag.as_ref().map_or_else(String::new, |tag| format!("&tag={tag}"));
        format!("pkg:oci/{}{version}?repository_url={}{tag}", self.name(), self.repository)
    }

    /// The image by its digest, as an engine takes it; `None` if no digest is known.
    pub fn pinned(&self) -> Option<String> {
        self.digest.as_ref().map(|digest| format!("{}@{digest}", self.repository))
    }
}

/// With the registry that the engine adds. Docker has one; podman asks those of its configuration in turn.
fn repository(name: &str, engine: &str) -> String {
    let first = name.split('/').next().unwrap_or(name);
    let has_registry = name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    match (has_registry, engine) {
        (true, _) if first == "index.docker.io" => name.replacen("index.docker.io", "docker.io", 1),
        (true, _) | (false, "podman") => name.to_owned(),
        (false, _) if name.contains('/') => format!("docker.io/{name}"),
        (false, _) => format!("docker.io/library/{name}"),
    }
}

fn is_name(name: &str) -> bool {
    let (first, rest) = match name.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (name, None),
    };
    // A registry may have a port; a part of the path may not.
    let is_host = |text: &str| {
        let (host, port) = text.split_once(':').unwrap_or((text, "0"));
        !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))
            && !port.is_empty()
            && port.bytes().all(|b| b.is_ascii_digit())
    };
    let is_part = |part: &str| {
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(edge)
            && part.ends_with(edge)
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
    };
    name.len() <= 255
        && match rest {
            Some(rest) => (is_host(first) || is_part(first)) && rest.split('/').all(is_part),
            None => is_part(first),
        }
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// Whether a text is the digest of an image: `sha256:` and 64 hex digits.
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn an_image_is_named_with_its_registry() {
        for (text, engine, repository, tag) in [
            ("postgres", "docker", "docker.io/library/postgres", None),
            ("mcp/fetch:1.0", "docker", "docker.io/mcp/fetch", Some("1.0")),
            ("ghcr.io/github/github-mcp-server", "docker", "ghcr.io/github/github-mcp-server", None),
            ("localhost/x:dev", "podman", "localhost/x", Some("dev")),
            ("localhost:5000/a/b", "docker", "localhost:5000/a/b", None),
            ("index.docker.io/mcp/x", "docker", "docker.io/mcp/x", None),
            ("mcp/fetch", "podman", "mcp/fetch", None),
            ("docker.io/mcp/fetch", "podman", "docker.io/mcp/fetch", None),
        ] {
            let image = Image::parse(text, engine).unwrap();
            assert_eq!((image.repository.as_str(), image.tag.as_deref()), (repository, tag), "{text}");
        }
    }

    #[test]
    fn what_is_no_image_of_a_registry_is_not_named() {
        for text in [
            "",
            "/x",
            "x/",
            "UPPER",
            "a/B",
            "a:b:c",
            "x@sha256:12",
            "oci-archive:/p",
            "docker://x",
            "dir:/x",
            "a b",
            &DIGEST[7..],
            DIGEST,
            "-x",
            "x:",
            "a//b",
        ] {
            assert_eq!(Image::parse(text, "docker"), None, "{text}");
        }
    }

    #[test]
    fn the_version_of_a_package_url_is_the_digest_and_never_a_tag() {
        let image = Image::parse(&format!("ghcr.io/a/b:1@{DIGEST}"), "docker").unwrap();
        assert_eq!(image.purl(), format!("pkg:oci/b@{DIGEST}?repository_url=ghcr.io/a/b&tag=1"));
        assert_eq!(image.pinned().unwrap(), format!("ghcr.io/a/b@{DIGEST}"));
        let image = Image::parse("mcp/fetch:1", "docker").unwrap();
        assert_eq!(image.purl(), "pkg:oci/fetch?repository_url=docker.io/mcp/fetch&tag=1");
        assert_eq!(image.pinned(), None);
    }
}
