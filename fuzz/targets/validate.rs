//! A configuration as a person may write it: errors, never a panic, and an end. What `print-config` prints of it stands
//! for the same.
#![no_main]

use collector_components::COMPONENTS;
use collector_config::{Loaded, Node, Provider, Source};
use collector_engine::{Descriptors, Plan};
use libfuzzer_sys::fuzz_target;
use std::io;

/// What references lead to: one text for each variable, by the first byte of its name, and one for all files.
struct Outside<'a> {
    variables: &'a [String],
    file: &'a str,
}

impl Provider for Outside<'_> {
    fn env(&self, name: &str) -> Option<String> {
        let index = usize::from(name.bytes().next().unwrap_or_default());
        self.variables.get(index.checked_rem(self.variables.len())?).cloned()
    }

    fn file(&self, path: &str) -> io::Result<String> {
        match path.is_empty() {
            true => Err(io::ErrorKind::NotFound.into()),
            false => Ok(self.file.to_owned()),
        }
    }
}

fuzz_target!(|input: (String, String, String, Vec<String>)| {
    let (file, set, argument, variables) = &input;
    let outside = Outside { variables, file };
    let mut sources = vec![Source::File("collector.yaml".to_owned())];
    sources.extend(Source::parse_set(set));
    sources.extend(Source::parse(argument));
    let loaded = match Loaded::load(&sources, &outside) {
        Ok(loaded) => loaded,
        Err(errors) => {
            assert!(!errors.to_string().is_empty());
            return;
        }
    };
    // Opening components is left out: it binds ports.
    match Plan::new(&loaded.root, &COMPONENTS, Descriptors::new()) {
        Ok(plan) => drop(format!("{:?}", plan.warnings())),
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
    let printed = loaded.root.redacted().escaped().to_yaml();
    let again = Node::parse(&printed, "").unwrap_or_else(|errors| panic!("{errors}\n{printed}"));
    assert_eq!(again.to_yaml(), printed);
});
