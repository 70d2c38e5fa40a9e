//! Which file of a crate uses which: read off its tokens, so that macros count and comments do not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The files of a crate, by their path below `src/`.
pub(super) type Tree = BTreeMap<String, String>;
/// A module, or an item in one, from the crate's root on.
type Name = Vec<String>;
/// Who uses whom.
pub(super) type Arrows = BTreeSet<(String, String)>;

/// Every Rust file below a folder.
pub(super) fn read(folder: &Path) -> Tree {
    super::files_below(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| {
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
            (name.to_owned(), std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The module of a file: none for a crate's root.
fn module(file: &str) -> Name {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if matches!(path, "lib" | "main") {
        return Name::new();
    }
    path.split('/').map(str::to_owned).collect()
}

fn is_test(file: &str) -> bool {
    module(file).iter().any(|part| part == "tests")
}

/// What one file says of others.
#[derive(Default)]
struct Found {
    /// What its paths lead to.
    used: Vec<Name>,
    /// What it passes on of its children, by the name that it gives: no use, unless that name is
    /// among its words.
    passed_on: Vec<(String, Name)>,
    words: BTreeSet<String>,
    /// What its `use` lines name anew: its children see all of them, strangers the public ones.
    aliases: BTreeMap<Name, Name>,
}

/// Reads one file. `crate_name` stands for the library in `main.rs`.
struct Reader<'a> {
    modules: &'a BTreeMap<Name, String>,
    crate_name: &'a str,
    found: Found,
}

impl Reader<'_> {
    fn read(&mut self, tokens: TokenStream, scope: &Name) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            let word = word(&tokens, at);
            if is_cfg_test(&tokens, at) {
                at = end_of_item(&tokens, at + 2);
            } else if word.as_deref() == Some("pub") && group(&tokens, at + 1).is_some() {
                at += 2;
            } else if word.as_deref() == Some("mod") && group(&tokens, at + 2).is_some() {
                let inner = [&scope[..], &[self::word(&tokens, at + 1).unwrap()]].concat();
                self.read(group(&tokens, at + 2).unwrap(), &inner);
                at += 3;
            } else if word.as_deref() == Some("use") {
                let end = end_of_item(&tokens, at);
                let paths = use_tree(&tokens[at + 1..end], &Name::new());
                let before = at.wrapping_sub(1);
                let is_public = self::word(&tokens, before).as_deref() == Some("pub")
                    || is_visibility(&tokens, before);
                for (path, alias) in paths {
                    self.import(path, alias, scope, is_public);
                }
                at = end;
            } else if word.is_some() && !is_colons(&tokens, at.wrapping_sub(2)) {
                let (path, end) = path(&tokens, at);
                self.found.words.insert(path[0].clone());
                if path.len() > 1 {
                    self.found.used.extend(self.absolute(path, scope));
                }
                at = end;
            } else {
                if let Some(inner) = group(&tokens, at) {
                    self.read(inner, scope);
                }
                at += 1;
            }
        }
    }

    fn import(&mut self, path: Name, alias: String, scope: &Name, is_public: bool) {
        let Some(target) = self.absolute(path, scope) else {
            return;
        };
        let name = [&scope[..], std::slice::from_ref(&alias)].concat();
        if name != target {
            self.found.aliases.insert(name, target.clone());
        }
        if is_public && target.starts_with(scope) {
            self.found.passed_on.push((alias, target));
        } else {
            self.found.used.push(target);
        }
    }

    /// The path from the crate's root on; `None` leads out of the crate or stays in the file.
    fn absolute(&self, path: Name, scope: &Name) -> Option<Name> {
        let mut base = match path[0].as_str() {
            "self" | "super" => scope.clone(),
            "crate" => Name::new(),
            name if name == self.crate_name => Name::new(),
            // A child of this module.
            name => {
                let child = [&scope[..], &[name.to_owned()]].concat();
                return self
                    .modules
                    .contains_key(&child)
                    .then(|| [&scope[..], &path].concat());
            }
        };
        let mut rest = &path[..];
        while let Some((first, more)) = rest.split_first() {
            match first.as_str() {
                "super" => drop(base.pop()),
                "self" | "crate" => {}
                name if name == self.crate_name => {}
                _ => break,
            }
            rest = more;
        }
        base.extend_from_slice(rest);
        Some(base)
    }
}

fn word(tokens: &[TokenTree], at: usize) -> Option<String> {
    match tokens.get(at)? {
        TokenTree::Ident(word) => Some(word.to_string()),
        _ => None,
    }
}

fn group(tokens: &[TokenTree], at: usize) -> Option<TokenStream> {
    match tokens.get(at)? {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    }
}

/// Whether the parentheses here are those of `pub(crate)`.
fn is_visibility(tokens: &[TokenTree], at: usize) -> bool {
    group(tokens, at).is_some() && word(tokens, at.wrapping_sub(1)).as_deref() == Some("pub")
}

fn is_punct(tokens: &[TokenTree], at: usize, wanted: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens, at, ':') && is_punct(tokens, at.wrapping_add(1), ':')
}

/// Whether an attribute here keeps its item for tests.
fn is_cfg_test(tokens: &[TokenTree], at: usize) -> bool {
    let Some(attribute) = group(tokens, at + 1).filter(|_| is_punct(tokens, at, '#')) else {
        return false;
    };
    let words: Vec<TokenTree> = attribute.into_iter().collect();
    let condition = group(&words, 1)
        .map(|inner| inner.to_string())
        .unwrap_or_default();
    let mut words_of_it = condition.split(|c: char| !c.is_alphanumeric());
    word(&words, 0).as_deref() == Some("cfg")
        && !condition.contains("not")
        && words_of_it.any(|word| word == "test")
}

/// Behind the item that goes on here.
fn end_of_item(tokens: &[TokenTree], from: usize) -> usize {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    // The braces of `use a::{b, c};` do not end it.
    let in_use = |at: usize| is_colons(tokens, at.wrapping_sub(2));
    let mut ends = (from..tokens.len()).filter(|at| is_end(&tokens[*at]) && !in_use(*at));
    ends.next().map_or(tokens.len(), |at| at + 1)
}

/// The plain path that begins here, and where it ends.
fn path(tokens: &[TokenTree], mut at: usize) -> (Name, usize) {
    let mut path: Name = word(tokens, at).into_iter().collect();
    at += 1;
    while let Some(word) = word(tokens, at + 2).filter(|_| is_colons(tokens, at)) {
        path.push(word);
        at += 3;
    }
    (path, at)
}

/// Every path of a `use` line, with the name that it gives.
fn use_tree(tokens: &[TokenTree], prefix: &Name) -> Vec<(Name, String)> {
    let mut found = Vec::new();
    for branch in
        tokens.split(|token| matches!(token, TokenTree::Punct(p) if ",;".contains(p.as_char())))
    {
        let branch = if is_colons(branch, 0) {
            &branch[2..]
        } else {
            branch
        };
        if branch.is_empty() {
            continue;
        }
        let (own, end) = match word(branch, 0) {
            Some(_) => path(branch, 0),
            None => (Name::new(), 0),
        };
        let full = [&prefix[..], &own].concat();
        // Behind a path comes `::{`, behind nothing `{`.
        let inner = group(branch, end).or_else(|| group(branch, end + 2));
        if let Some(inner) = inner {
            let inner: Vec<TokenTree> = inner.into_iter().collect();
            found.extend(use_tree(&inner, &full));
        } else if !full.is_empty() {
            let renamed = word(branch, end).filter(|word| word == "as");
            let renamed = renamed.and_then(|_| word(branch, end + 1));
            let own_name = full.iter().rev().find(|part| *part != "self");
            let star = is_punct(branch, end + 2, '*').then(|| "*".to_owned());
            let alias = star
                .or(renamed)
                .or_else(|| own_name.cloned())
                .unwrap_or_default();
            let is_self = full.len() > 1 && full.last().is_some_and(|part| part == "self");
            let full = full[..full.len() - usize::from(is_self)].to_vec();
            found.push((full, alias));
        }
    }
    found
}

/// Which file uses which: an item counts for the file that defines it, not for those that pass it
/// on.
pub(super) fn arrows(tree: &Tree, crate_name: &str) -> Arrows {
    let files: Vec<&String> = tree.keys().filter(|file| !is_test(file)).collect();
    // Both roots are one module; an arrow to it means the library.
    let modules = files.iter().map(|file| (module(file), (*file).clone()));
    let modules: BTreeMap<Name, String> = modules.filter(|(_, file)| file != "main.rs").collect();
    let read = |file: &&String| {
        let tokens: TokenStream = tree[*file]
            .parse()
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut reader = Reader {
            modules: &modules,
            crate_name,
            found: Found::default(),
        };
        reader.read(tokens, &module(file));
        ((*file).clone(), reader.found)
    };
    let found: Vec<(String, Found)> = files.iter().map(read).collect();
    let mut aliases = BTreeMap::new();
    for (file, found) in &found {
        if file != "main.rs" {
            aliases.extend(found.aliases.clone());
        }
    }
    let mut arrows = Arrows::new();
    for (file, found) in found {
        let passed_on = found.passed_on.into_iter();
        let needed = passed_on.filter(|(alias, _)| found.words.contains(alias));
        for name in found.used.into_iter().chain(needed.map(|(_, name)| name)) {
            if let Some(target) = defined_in(name, &modules, &aliases)
                && target != file
            {
                arrows.insert((file.clone(), target));
            }
        }
    }
    arrows
}

/// The file that defines an item.
fn defined_in(
    mut name: Name,
    modules: &BTreeMap<Name, String>,
    aliases: &BTreeMap<Name, Name>,
) -> Option<String> {
    // A chain of names that is longer runs in a circle.
    for _ in 0..16 {
        let passed_on = (1..=name.len()).find_map(|length| {
            let target = aliases.get(&name[..length])?;
            Some([&target[..], &name[length..]].concat())
        });
        match passed_on {
            Some(target) => name = target,
            None => break,
        }
    }
    let mut prefixes = (0..=name.len()).rev();
    prefixes.find_map(|length| modules.get(&name[..length]).cloned())
}
