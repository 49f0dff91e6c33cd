//! Paths of a source file, resolved from the root of its crate.
//!
//! Tokens are read, not syntax: that finds paths inside macro calls too, and comments and strings
//! are out of the way.

use std::path::Path;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path that starts at the root of the crate.
pub(super) struct Import {
    /// As in `policy::model::Policy`, without `crate`.
    pub(super) path: String,
    /// Where it stands, from 1.
    pub(super) line: usize,
}

/// The module of a file, by its path below `src`; empty for the root.
pub(super) fn module(file: &Path) -> Vec<String> {
    let name = file.with_extension("");
    let parts = name.iter().map(|part| part.to_string_lossy().into_owned());
    let mut module: Vec<_> = parts.collect();
    if matches!(module.as_slice(), [root] if root == "lib" || root == "main") {
        module.clear();
    }
    module
}

/// Every path in `source` that starts with `crate`, `self` or `super`.
///
/// # Errors
/// `source` is not Rust.
pub(super) fn imports(source: &str, module: &[String]) -> Result<Vec<Import>> {
    let stream: TokenStream = source
        .parse()
        .map_err(|error| anyhow!("{}: {error}", module.join("::")))?;
    let mut imports = Vec::new();
    scan(
        &stream.into_iter().collect::<Vec<_>>(),
        module,
        &mut imports,
    );
    Ok(imports)
}

fn scan(tokens: &[TokenTree], module: &[String], imports: &mut Vec<Import>) {
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        match token {
            TokenTree::Group(group) => {
                scan(
                    &group.stream().into_iter().collect::<Vec<_>>(),
                    module,
                    imports,
                );
            }
            TokenTree::Ident(ident) if *ident == "mod" => {
                if let [TokenTree::Ident(name), TokenTree::Group(body), after @ ..] = rest {
                    let inner = [module, &[name.to_string()]].concat();
                    scan(
                        &body.stream().into_iter().collect::<Vec<_>>(),
                        &inner,
                        imports,
                    );
                    rest = after;
                }
            }
            TokenTree::Ident(ident) => {
                let parent = module.len().saturating_sub(1);
                let base = match ident.to_string().as_str() {
                    "crate" => &[],
                    "self" => module,
                    "super" => &module[..parent],
                    _ => continue,
                };
                if let Some(after) = after_separator(rest) {
                    rest = follow(after, base.to_vec(), imports);
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Follows a path from what stands after `::`, and returns what stands after the path.
fn follow<'a>(
    tokens: &'a [TokenTree],
    mut path: Vec<String>,
    imports: &mut Vec<Import>,
) -> &'a [TokenTree] {
    match tokens {
        [TokenTree::Ident(ident), rest @ ..] => {
            match ident.to_string().as_str() {
                "super" => drop(path.pop()),
                "self" => {}
                name => path.push(name.to_owned()),
            }
            match after_separator(rest) {
                Some(after @ [TokenTree::Ident(_) | TokenTree::Group(_), ..]) => {
                    return follow(after, path, imports);
                }
                Some(_) | None => imports.push(Import {
                    path: path.join("::"),
                    line: ident.span().start().line,
                }),
            }
            rest
        }
        [TokenTree::Group(group), rest @ ..] if group.delimiter() == Delimiter::Brace => {
            let tokens: Vec<_> = group.stream().into_iter().collect();
            for part in tokens.split(|token| is_punct(token, ',')) {
                follow(part, path.clone(), imports);
            }
            rest
        }
        _ => tokens,
    }
}

fn after_separator(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [first, second, rest @ ..] if is_punct(first, ':') && is_punct(second, ':') => Some(rest),
        _ => None,
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}
