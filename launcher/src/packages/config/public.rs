//! What npm, pip and uv ask where nobody has configured anything. Facts of theirs that a fetch has to grant, so they stand
//! here and nowhere else.

/// npm's own registry.
pub(super) const NPM: &str = "https://registry.npmjs.org/";
/// The index of pip and uv.
pub(super) const PYPI: &str = "https://pypi.org/simple/";
/// Indexes that serve their files from another host, which their own documentation names.
pub(super) const FILE_HOSTS: [(&str, &str); 2] =
    [("pypi.org", "files.pythonhosted.org"), ("test.pypi.org", "test-files.pythonhosted.org")];
