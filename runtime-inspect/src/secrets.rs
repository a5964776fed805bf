//! What nobody should see of a process: variables and arguments that look like secrets. Pure.
//!
//! A guess by names and shapes, so it errs on the side of hiding: what it hides is only ever shown to a person or sent
//! as telemetry, never acted upon.

/// What stands for a hidden value.
pub const MASK: &str = "***";

/// Parts of names of variables and options whose values nobody should see.
const SECRET_NAMES: [&str; 15] = [
    "KEY",
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "AUTH",
    "BEARER",
    "DSN",
    "COOKIE",
    "SESSION",
    "PRIVATE",
    "LICENSE",
    "HEADERS",
];
/// Names that are too short to be looked for within others.
const SHORT_NAMES: [&str; 4] = ["PW", "PASS", "PWD", "SIG"];

/// A command line as a person may see it: the arguments that are secrets, or hold one, with the secret masked.
pub fn masked_arguments(arguments: &[String]) -> Vec<String> {
    let mut follows_secret_option = false;
    let mut masked = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let is_option = argument.starts_with('-');
        masked.push(if follows_secret_option && !is_option {
            MASK.to_owned()
        } else {
            masked_argument(argument)
        });
        follows_secret_option = is_option && !argument.contains(['=', ':']) && is_secret_name(argument);
    }
    masked
}

/// `--name=value`, `-Dname=value`, `Name: value`, or a text with a URL in it.
fn masked_argument(argument: &str) -> String {
    if argument.contains("-----BEGIN ") {
        return MASK.to_owned();
    }
    // The sign of a query or of a URL's scheme does not end a name.
    let end = argument.find(['=', ':']).filter(|&at| {
        let (name, value) = argument.split_at(at);
        !name.contains(['/', '?']) && !value.starts_with("://") && is_secret_name(name)
    });
    match end {
        Some(at) => format!("{}{MASK}", &argument[..=at]),
        None => without_credentials(argument),
    }
}

/// Whether the value of a variable or option of this name is a secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    SECRET_NAMES.iter().any(|part| name.contains(part)) || words.any(|word| SHORT_NAMES.contains(&word))
}

/// The text with `scheme://user:password@host` as `scheme://***@host`, and secret parameters of queries masked.
fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, part) in text.split("://").enumerate() {
        if index == 0 {
            out.push_str(part);
            continue;
        }
        out.push_str("://");
        let end = part.find(['/', '?', '#', ' ', ',']).unwrap_or(part.len());
        let (authority, rest) = part.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => out.extend([MASK, "@", host]),
            None => out.push_str(authority),
        }
        push_without_parameters(&mut out, rest);
    }
    out
}

fn push_without_parameters(out: &mut String, rest: &str) {
    for (index, piece) in rest.split_inclusive(['?', '&']).enumerate() {
        match piece.split_once('=') {
            Some((name, value)) if index > 0 && is_secret_name(name) => {
                let sign = if value.ends_with('&') { "&" } else { "" };
                out.extend([name, "=", MASK, sign]);
            }
            _ => out.push_str(piece),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &[&str], expected: &[&str]) {
        let arguments: Vec<String> = command.iter().map(|argument| (*argument).to_owned()).collect();
        assert_eq!(masked_arguments(&arguments), expected, "{command:?}");
    }

    #[test]
    fn the_values_of_secret_options_are_masked_in_every_spelling() {
        check(&["serve", "--password=hunter2"], &["serve", "--password=***"]);
        check(
            &["serve", "--api-key", "hunter2", "x"],
            &["serve", "--api-key", "***", "x"],
        );
        check(&["java", "-Ddb.passwd=hunter2", "A"], &["java", "-Ddb.passwd=***", "A"]);
        check(&["db", "-pw", "hunter2"], &["db", "-pw", "***"]);
        check(&["TOKEN=hunter2", "run"], &["TOKEN=***", "run"]);
        check(
            &["curl", "-H", "Authorization: Bearer hunter2"],
            &["curl", "-H", "Authorization:***"],
        );
        check(&["sign", "-----BEGIN RSA PRIVATE KEY-----"], &["sign", "***"]);
    }

    #[test]
    fn credentials_within_urls_are_masked_and_the_rest_stays() {
        check(
            &["psql", "postgres://shop:hunter2@db:5432/shop"],
            &["psql", "postgres://***@db:5432/shop"],
        );
        check(
            &["--url=https://hunter2@host/a?b=c&token=hunter2&d=e"],
            &["--url=https://***@host/a?b=c&token=***&d=e"],
        );
        check(
            &["--brokers=amqp://a:hunter2@one/,amqp://a:hunter2@two/"],
            &["--brokers=amqp://***@one/,amqp://***@two/"],
        );
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        let command = [
            "java",
            "-Xmx1g",
            "--bypass",
            "-jar",
            "/srv/shop@2.jar",
            "--url=http://host:80/a?b=c",
            "--port=80",
            "user@host",
            "--keep=a:b",
            "",
        ];
        check(&command, &command);
    }

    #[test]
    fn an_option_after_a_secret_one_is_no_value() {
        check(&["a", "--token", "--verbose", "b"], &["a", "--token", "--verbose", "b"]);
    }
}
