//! The name under which a process's telemetry is filed, when its owner has not been asked.

use super::{Detection, Language, ProcessFacts, base_name};
use crate::secrets;

/// The name and what it was taken from: the OpenTelemetry variables first (environment variable specification,
/// `OTEL_SERVICE_NAME` before `OTEL_RESOURCE_ATTRIBUTES`), then what the runtime was told to run, then the program.
pub fn service_name(facts: &ProcessFacts, detection: Option<&Detection>) -> Option<(String, String)> {
    from_environment(facts)
        .or_else(|| from_arguments(facts, detection?.language))
        .or_else(|| from_program(facts))
}

fn from_environment(facts: &ProcessFacts) -> Option<(String, String)> {
    let set = |name: &str| facts.environment.get(name).filter(|value| !value.is_empty());
    if let Some(name) = set("OTEL_SERVICE_NAME") {
        return Some((name.to_owned(), "the variable OTEL_SERVICE_NAME".to_owned()));
    }
    let attributes = set("OTEL_RESOURCE_ATTRIBUTES")?;
    let name = attributes.split(',').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim() == "service.name").then(|| percent_decoded(value.trim()))
    })?;
    (!name.is_empty()).then(|| (name, "service.name in the variable OTEL_RESOURCE_ATTRIBUTES".to_owned()))
}

fn from_program(facts: &ProcessFacts) -> Option<(String, String)> {
    let name = facts.exe_name();
    (!name.is_empty()).then(|| (name.to_owned(), format!("the program {}", facts.exe)))
}

/// What an interpreter runs: a jar or main class, a script, a module, an assembly.
fn from_arguments(facts: &ProcessFacts, language: Language) -> Option<(String, String)> {
    // The name goes into every span, and what it was taken from before a person's eyes. What is masked as a whole is some
    // option's value, not what is run.
    let mut arguments = secrets::masked_arguments(facts.cmdline.get(1..)?);
    arguments.retain(|argument| argument != secrets::MASK);
    let arguments = arguments.as_slice();
    match language {
        Language::Java => java(arguments),
        Language::JavaScript => script(arguments, &NODE_VALUES, &["-e", "--eval", "-p", "--print"]),
        Language::Python => python(arguments),
        Language::Ruby => script(arguments, &RUBY_VALUES, &["-e"]),
        Language::Php if facts.exe_name().contains("fpm") => None,
        Language::Php => script(arguments, &PHP_VALUES, &["-r", "-S"]),
        Language::DotNet if facts.exe_name() == "dotnet" => script(arguments, &DOTNET_VALUES, &[]),
        _ => None,
    }
}

/// Options whose value is the next argument.
const JAVA_VALUES: [&str; 14] = [
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-opens",
    "--add-exports",
    "--add-reads",
    "--limit-modules",
    "--patch-module",
    "--enable-native-access",
    "-d",
];
const NODE_VALUES: [&str; 9] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--input-type",
    "--env-file",
];
const PYTHON_VALUES: [&str; 3] = ["-W", "-X", "--check-hash-based-pycs"];
const RUBY_VALUES: [&str; 4] = ["-I", "-r", "-C", "-E"];
const PHP_VALUES: [&str; 4] = ["-c", "-d", "-z", "-t"];
const DOTNET_VALUES: [&str; 5] = [
    "--depsfile",
    "--runtimeconfig",
    "--additionalprobingpath",
    "--fx-version",
    "--roll-forward",
];

fn java(arguments: &[String]) -> Option<(String, String)> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-jar" => {
                return rest
                    .next()
                    .map(|jar| (stem(jar).to_owned(), format!("the archive {jar}")));
            }
            "-m" | "--module" => {
                return rest
                    .next()
                    .map(|module| (module.clone(), format!("the module {module}")));
            }
            option if JAVA_VALUES.contains(&option) => drop(rest.next()),
            option if option.starts_with('-') || option.starts_with('@') => {}
            class => return Some((stem_of_source(class), format!("the main class {class}"))),
        }
    }
    None
}

/// A single source file may stand for the main class.
fn stem_of_source(class: &str) -> String {
    if class.ends_with(".java") {
        stem(class).to_owned()
    } else {
        class.to_owned()
    }
}

fn python(arguments: &[String]) -> Option<(String, String)> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "-m" {
            return rest
                .next()
                .map(|module| (module.clone(), format!("the module {module}")));
        }
        if argument == "-c" {
            return None;
        }
        if PYTHON_VALUES.contains(&argument.as_str()) {
            rest.next();
        } else if !argument.starts_with('-') {
            return script_name(argument);
        }
    }
    None
}

/// The first argument that is neither an option nor an option's value. `without` are options that run no script.
fn script(arguments: &[String], values: &[&str], without: &[&str]) -> Option<(String, String)> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let argument = argument.as_str();
        if without.contains(&argument) {
            return None;
        }
        if argument == "--" {
            return rest.next().and_then(|path| script_name(path));
        }
        if values.contains(&argument) {
            rest.next();
        } else if !argument.starts_with('-') {
            return script_name(argument);
        }
    }
    None
}

/// A script's name, or for the usual names of entry points that of the folder they are in.
fn script_name(path: &str) -> Option<(String, String)> {
    let name = stem(path);
    let generic = matches!(name, "index" | "main" | "__main__" | "app" | "server" | "manage");
    let folder = path
        .rsplit('/')
        .nth(1)
        .filter(|folder| !matches!(*folder, "" | "." | ".." | "src" | "dist" | "build" | "lib" | "bin"));
    let chosen = if generic { folder.unwrap_or(name) } else { name };
    (!chosen.is_empty()).then(|| (chosen.to_owned(), format!("the script {path}")))
}

/// The last part of a path without its last extension.
fn stem(path: &str) -> &str {
    let name = base_name(path);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// Values in `OTEL_RESOURCE_ATTRIBUTES` are percent-encoded (W3C Baggage); a wrong escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = after
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::elf::ElfError;
    use crate::facts::environment::Environment;

    fn check(language: Language, environment: &str, cmdline: &str, expected: &str) {
        let (name, evidence) = named(language, environment, cmdline);
        assert_eq!(name, expected, "{cmdline}: {evidence}");
    }

    fn named(language: Language, environment: &str, cmdline: &str) -> (String, String) {
        let facts = ProcessFacts {
            exe: "/usr/bin/program".to_owned(),
            cmdline: cmdline.split(' ').map(str::to_owned).collect(),
            environment: Environment::parse(environment.replace(';', "\0").as_bytes()),
            mapped: Vec::new(),
            program: Err(ElfError::NotElf),
        };
        let detection = Detection::new(language, "", Vec::new());
        service_name(&facts, Some(&detection)).unwrap()
    }

    #[test]
    fn the_variables_come_first() {
        check(
            Language::Java,
            "OTEL_SERVICE_NAME=cart;OTEL_RESOURCE_ATTRIBUTES=service.name=x",
            "java -jar a.jar",
            "cart",
        );
        check(
            Language::Java,
            "OTEL_SERVICE_NAME=;OTEL_RESOURCE_ATTRIBUTES=a=b, service.name=my%20cart",
            "java -jar a.jar",
            "my cart",
        );
        check(
            Language::Java,
            "OTEL_RESOURCE_ATTRIBUTES=service.namespace=x",
            "java -jar a.jar",
            "a",
        );
    }

    #[test]
    fn java_is_named_by_what_it_runs() {
        check(
            Language::Java,
            "",
            "java -Xmx1g -cp a:b --add-opens x=y com.example.Main arg",
            "com.example.Main",
        );
        check(
            Language::Java,
            "",
            "java -javaagent:x.jar -jar /srv/shop-1.2.jar --port 1",
            "shop-1.2",
        );
        check(
            Language::Java,
            "",
            "java -p mods -m shop/com.example.Main",
            "shop/com.example.Main",
        );
        check(Language::Java, "", "java Server.java", "Server");
        check(Language::Java, "", "java", "program");
    }

    #[test]
    fn interpreters_are_named_by_their_script() {
        check(
            Language::JavaScript,
            "",
            "node --inspect -r x /srv/checkout.js",
            "checkout",
        );
        check(Language::JavaScript, "", "node /srv/checkout/index.js", "checkout");
        check(Language::JavaScript, "", "node -e 1", "program");
        check(Language::Python, "", "python3 -u -m http.server 80", "http.server");
        check(Language::Python, "", "python3 -X dev /srv/pay.py", "pay");
        check(Language::Python, "", "python3 -c pass", "program");
        check(Language::Ruby, "", "ruby -I lib bin/rails", "rails");
        check(Language::Php, "", "php -d a=b worker.php", "worker");
        check(Language::Go, "", "whatever --flag x", "program");
    }

    #[test]
    fn no_secret_of_the_command_line_is_in_a_name_or_its_evidence() {
        for (language, cmdline, expected) in [
            (
                Language::JavaScript,
                "node https://me:hunter2@host/index.js",
                "***@host",
            ),
            (Language::Java, "java -jar https://hunter2@host/shop.jar", "shop"),
            (Language::Python, "python3 --token hunter2 pay.py", "pay"),
            (Language::Ruby, "ruby app.rb --password=hunter2", "app"),
        ] {
            let (name, evidence) = named(language, "", cmdline);
            assert_eq!(name, expected, "{cmdline}: {evidence}");
            assert!(!evidence.contains("hunter2"), "{cmdline}: {evidence}");
        }
    }
}
