//! A folder in, checked rules or every fault in them out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rsigma_parser::{FilterRuleTarget, SigmaCollection, parse_sigma_yaml};

use crate::enrich::products::Products;
use crate::rules::document::Node;
use crate::rules::{Rule, RuleFaults, RuleKind, Rules, lint};
use crate::yaml::Fault;

/// A rule file as it was read.
struct File {
    label: String,
    text: String,
    tree: Node,
    rule: Rule,
}

impl Rules {
    /// The folder of a rule folder that holds data, no rules.
    const DATA: &'static str = "data";
    const PRODUCTS: &'static str = "data/products.yml";

    /// Reads all rules under a folder, or says everything that is wrong with them.
    pub fn load(dir: &Path) -> Result<Self, RuleFaults> {
        let mut faults = Vec::new();
        let products = Products::load(&dir.join(Self::PRODUCTS));
        let paths = rule_paths(dir);
        let mut collection = SigmaCollection::new();
        let mut files = Vec::new();
        match paths {
            Ok(paths) => {
                for path in paths {
                    files.extend(read(&path, &mut collection, &mut faults));
                }
            }
            Err(fault) => faults.push(fault),
        }
        check_together(&mut files, &mut faults);
        check_compilation(&files, &collection, &mut faults);
        let products = products.map_err(|fault| faults.push(*fault)).unwrap_or_default();
        if !faults.is_empty() {
            return Err(RuleFaults(faults));
        }
        refer_by_id(&mut collection, &files);
        let rules = files.into_iter().map(|file| Arc::new(file.rule)).collect();
        Ok(Self { rules, collection, products: Arc::new(products) })
    }
}

/// The YAML files under a folder, sorted.
fn rule_paths(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    let fault = |path: &Path, error: std::io::Error| {
        Fault::of_file(&path.display().to_string(), format!("cannot be read: {error}"))
    };
    let mut paths = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| fault(&folder, error))? {
            let path = entry.map_err(|error| fault(&folder, error))?.path();
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if is_hidden || path == dir.join(Rules::DATA) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path, collection: &mut SigmaCollection, faults: &mut Vec<Fault>) -> Option<File> {
    let label = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            faults.push(Fault::of_file(&label, format!("cannot be read: {error}")));
            return None;
        }
    };
    let tree = match Node::parse(&label, &text) {
        Ok(tree) => tree,
        Err(fault) => {
            faults.push(*fault);
            return None;
        }
    };
    let before = faults.len();
    let rule = lint::check(path, &label, &text, &tree, faults);
    match parse_sigma_yaml(&text) {
        Ok(parsed) => {
            // What the lints found, the parser need not say again.
            if faults.len() == before {
                faults.extend(parsed.errors.iter().map(|error| Fault::at(&label, &text, tree.place, error.clone())));
            }
            collection.rules.extend(parsed.rules);
            collection.correlations.extend(parsed.correlations);
            collection.filters.extend(parsed.filters);
        }
        Err(error) => faults.push(Fault::at(&label, &text, tree.place, error.to_string())),
    }
    Some(File { label, text, tree, rule })
}

/// Ids are unique, references lead somewhere, and what is only counted is marked so.
fn check_together(files: &mut [File], faults: &mut Vec<Fault>) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for file in files.iter() {
        for (key, value) in [("id", &file.rule.id), ("name", &file.rule.name)] {
            if value.is_empty() {
                continue;
            }
            let Some(first) = seen.insert(value.clone(), file.label.clone()) else {
                continue;
            };
            let message = format!("the {key} `{value}` is that of {first}, too; give each rule its own");
            faults.push(Fault::at(&file.label, &file.text, file.tree.place_of(key), message));
        }
    }
    let known: Vec<&str> = seen.keys().map(String::as_str).collect();
    for file in files.iter() {
        for reference in file.rule.refers_to.iter().filter(|reference| !seen.contains_key(*reference)) {
            let section = if file.rule.kind == RuleKind::Filter { "filter" } else { "correlation" };
            let references = file.tree.get(section).and_then(|node| node.get("rules"));
            let found = references.and_then(|node| node.items().find(|item| item.scalar() == Some(reference)));
            let place = found.map_or(file.tree.place, |item| item.place);
            let message = lint::unknown("rule", reference, &known, "refer to a rule by its name or id");
            faults.push(Fault::at(&file.label, &file.text, place, message));
        }
    }
    let counted = files
        .iter()
        .filter(|file| file.rule.kind == RuleKind::Correlation && file.tree.text("generate") != Some("true"));
    let counted: Vec<String> = counted.flat_map(|file| file.rule.refers_to.clone()).collect();
    for file in files.iter_mut() {
        file.rule.is_counted_only = counted.iter().any(|of| *of == file.rule.id || *of == file.rule.name);
        if !file.rule.is_counted_only && file.rule.kind != RuleKind::Filter {
            lint::check_alerting(&file.label, &file.text, &file.tree, faults);
        }
    }
}

/// What only the compiler finds: a bad regular expression, a bad network, a modifier without sense.
fn check_compilation(files: &[File], collection: &SigmaCollection, faults: &mut Vec<Fault>) {
    let mut fault = |id: Option<&String>, message: String| {
        let Some(file) = files.iter().find(|file| Some(&file.rule.id) == id) else {
            return;
        };
        let place = lint::place_of_text_in(&file.tree, &message).unwrap_or_else(|| file.tree.place_of("detection"));
        faults.push(Fault::at(&file.label, &file.text, place, message));
    };
    for rule in &collection.rules {
        if let Err(error) = rsigma_eval::compile_rule(rule) {
            fault(rule.id.as_ref(), error.to_string());
        }
    }
    for correlation in &collection.correlations {
        if let Err(error) = rsigma_eval::correlation::compile_correlation(correlation) {
            fault(correlation.id.as_ref(), error.to_string());
        }
    }
    for filter in &collection.filters {
        for detection in filter.detection.named.values() {
            if let Err(error) = rsigma_eval::compiler::compile_detection(detection) {
                fault(filter.id.as_ref(), error.to_string());
            }
        }
    }
}

/// The engine knows detections by id only, so names become ids.
fn refer_by_id(collection: &mut SigmaCollection, files: &[File]) {
    let id = |reference: &mut String| {
        if let Some(file) = files.iter().find(|file| file.rule.name == *reference) {
            reference.clone_from(&file.rule.id);
        }
    };
    for correlation in &mut collection.correlations {
        correlation.rules.iter_mut().for_each(id);
    }
    for filter in &mut collection.filters {
        if let FilterRuleTarget::Specific(rules) = &mut filter.rules {
            rules.iter_mut().for_each(id);
        }
    }
}
