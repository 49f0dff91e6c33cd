use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/policies/goldens")
        .join(name)
}

/// Compares with the golden file, or writes it when `ENFORCER_BLESS` is set.
pub(crate) fn check(name: &str, actual: &str) {
    check_at(&path(name), actual);
}

/// As [`check`], for a file that is of use elsewhere.
pub(crate) fn check_at(path: &Path, actual: &str) {
    if std::env::var_os("ENFORCER_BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("goldens/")).expect("goldens/");
        fs::write(path, actual).expect("goldens are writable");
        return;
    }
    let expected = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}; ENFORCER_BLESS=1 writes it", path.display()));
    assert!(
        expected == actual,
        "{} differs; ENFORCER_BLESS=1 writes it anew\n--- expected\n{expected}\n--- actual\n{actual}",
        path.display()
    );
}
