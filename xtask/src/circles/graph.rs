//! Which file of a crate uses which, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Used, used};

/// How many re-exports are followed from a name to its file.
const EXPORTS: usize = 8;

type Module = Vec<String>;

/// The source files of a crate, by their modules.
pub(super) struct Crate {
    /// The file of each module.
    files: BTreeMap<Module, String>,
    uses: BTreeMap<Module, Vec<Used>>,
    /// The targets of names that a module re-exports.
    exports: BTreeMap<(Module, String), Vec<String>>,
}

impl Crate {
    /// Parses the files.
    pub(super) fn new(files: Vec<(String, String)>) -> Self {
        let mut all = Crate { files: BTreeMap::new(), uses: BTreeMap::new(), exports: BTreeMap::new() };
        for (file, text) in files {
            let module = module(&file);
            // Only built for tests.
            if module.iter().any(|name| name == "tests") {
                continue;
            }
            all.uses.entry(module.clone()).or_default().extend(used(&text));
            all.files.insert(module, file);
        }
        for (module, uses) in &all.uses {
            for Used { path, exported } in uses {
                if let (Some(name), Some(path)) = (exported, all.absolute(module, path)) {
                    all.exports.insert((module.clone(), name.clone()), path);
                }
            }
        }
        all
    }

    /// Returns a path from the crate root; `None` if it starts in another crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let mut base = module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                base.push(child.to_owned());
                if !self.files.contains_key(&base) {
                    return None;
                }
                rest = &path[1..];
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// Returns the module that contains what a path names.
    fn owner(&self, mut path: Vec<String>) -> Module {
        for _ in 0..EXPORTS {
            let known = (0..=path.len()).rev().find(|len| self.files.contains_key(&path[..*len])).unwrap_or_default();
            let module = path[..known].to_vec();
            let Some(name) = path.get(known) else { return module };
            match self.exports.get(&(module.clone(), name.clone())) {
                Some(target) => path = target.iter().chain(&path[known + 1..]).cloned().collect(),
                None => return module,
            }
        }
        path
    }

    /// Returns which modules each module uses. A re-exported name counts for the module that uses it.
    fn arrows(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let arrows = |(module, uses): (&'_ Module, &Vec<Used>)| -> BTreeSet<Module> {
            let own = uses.iter().filter(|used| used.exported.is_none());
            let owners = own.filter_map(|used| Some(self.owner(self.absolute(module, &used.path)?)));
            owners.filter(|owner| owner != module && self.files.contains_key(owner)).collect()
        };
        self.uses.iter().map(|entry| (entry.0, arrows(entry))).collect()
    }
}

/// Returns the circles among a crate's files: those of files that are not above one another, and those larger than a
/// module and its children.
pub(super) fn circles(all: &Crate) -> Vec<BTreeSet<String>> {
    let arrows = all.arrows();
    let related = |a: &Module, b: &Module| a.starts_with(b) || b.starts_with(a);
    let beside = arrows
        .iter()
        .map(|(from, to)| (*from, to.iter().filter(|to| !related(from, to)).cloned().collect::<BTreeSet<_>>()));
    let mut found: BTreeSet<BTreeSet<Module>> = components(&beside.collect()).into_iter().collect();
    let whole = components(&arrows).into_iter();
    found.extend(whole.filter(|circle| !circle.iter().any(|top| circle.iter().all(|below| below.starts_with(top)))));
    // Do not report a circle that is part of a larger one.
    let largest = found.iter().filter(|circle| !found.iter().any(|other| other != *circle && circle.is_subset(other)));
    largest.map(|circle| circle.iter().map(|module| all.files[module].clone()).collect()).collect()
}

/// Returns the strongly connected components with two or more modules.
fn components(arrows: &BTreeMap<&Module, BTreeSet<Module>>) -> Vec<BTreeSet<Module>> {
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        arrows.keys().map(|from| (*from, reached(from, arrows))).collect();
    let mut found: Vec<BTreeSet<Module>> = Vec::new();
    for (from, to) in &reach {
        if found.iter().any(|circle| circle.contains(*from)) {
            continue;
        }
        let back = to.iter().filter(|other| reach.get(**other).is_some_and(|back| back.contains(from)));
        let circle: BTreeSet<Module> = back.map(|module| (*module).clone()).collect();
        if circle.len() > 1 {
            found.push(circle);
        }
    }
    found
}

fn reached<'a>(from: &Module, arrows: &'a BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<&'a Module> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(next) = open.pop() {
        for to in arrows.get(next).into_iter().flatten() {
            if seen.insert(to) {
                open.push(to);
            }
        }
    }
    seen
}

/// Returns the module of a file: `s3::http` for `s3/http/mod.rs`.
fn module(file: &str) -> Module {
    let mut parts: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let last = parts.last().map(String::as_str);
    if last == Some("mod") || matches!(file, "lib.rs" | "main.rs") {
        parts.pop();
    }
    parts
}
