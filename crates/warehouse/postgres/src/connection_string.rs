//! The text of a connection: a URL, or `name=value` pairs, as libpq reads them. Errors
//! name the problem but never quote it: it may be a password.

use percent_encoding::percent_decode_str;

type Result<T> = std::result::Result<T, String>;

/// The supported parameters.
const KNOWN: [&str; 19] = [
    "application_name",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "host",
    "hostaddr",
    "max_connections",
    "options",
    "password",
    "port",
    "requiressl",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "target_session_attrs",
    "user",
    "client_encoding",
];

/// The parameters of a connection string.
#[derive(Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut parameters = Self::default();
        match text.split_once("://") {
            Some(("postgres" | "postgresql", rest)) => parameters.read_url(rest)?,
            _ => parameters.read_pairs(text)?,
        }
        if parameters.get("host").is_some() && parameters.get("hostaddr").is_some() {
            return Err("names both host and hostaddr: leave one out".to_owned());
        }
        Ok(parameters)
    }

    /// The last value given, as in libpq; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u32>> {
        self.get(name)
            .map(|value| {
                value.parse().map_err(|_| format!("has a {name} that is not a number: write {name}=10"))
            })
            .transpose()
    }

    /// The servers in order; without any, the one that the environment names.
    pub(crate) fn servers(&self) -> Result<Vec<(Option<String>, Option<u16>)>> {
        let list = |name| self.get(name).map(|list| list.split(',').map(str::trim).collect::<Vec<_>>());
        let hosts = list("host").or_else(|| list("hostaddr")).unwrap_or_else(|| vec![""]);
        let ports = list("port").unwrap_or_else(|| vec![""]);
        if ports.len() != 1 && ports.len() != hosts.len() {
            return Err(format!(
                "names {} hosts and {} ports: name one port, or one for each host",
                hosts.len(),
                ports.len()
            ));
        }
        hosts
            .iter()
            .enumerate()
            .map(|(at, host)| {
                let port = ports.get(at).or_else(|| ports.first()).copied().unwrap_or_default();
                let port = match port {
                    "" => None,
                    port => Some(
                        port.parse()
                            .ok()
                            .filter(|port| *port > 0)
                            .ok_or_else(|| "has a port that is not a number from 1 to 65535".to_owned())?,
                    ),
                };
                Ok(((!host.is_empty()).then(|| (*host).to_owned()), port))
            })
            .collect()
    }

    fn read_url(&mut self, rest: &str) -> Result<()> {
        let (before_query, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = before_query.split_once('/').unwrap_or((before_query, ""));
        let (user, hosts) =
            authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
        if path.contains('/') || path.contains('@') || hosts.contains('#') {
            return Err(
                "cannot be read: write `/`, `@`, `?` and `#` of a name or password as %2F, %40, %3F and %23"
                    .to_owned(),
            );
        }
        if let Some(user) = user {
            let (user, password) =
                user.split_once(':').map_or((user, None), |(user, password)| (user, Some(password)));
            self.add("user", decoded(user)?);
            if let Some(password) = password {
                self.add("password", decoded(password)?);
            }
        }
        let (mut names, mut ports) = (Vec::new(), Vec::new());
        for host in hosts.split(',') {
            let (name, port) = host_and_port(host)?;
            names.push(decoded(name)?);
            ports.push(port);
        }
        self.add("host", names.join(","));
        if ports.iter().any(|port| !port.is_empty()) {
            self.add("port", ports.join(","));
        }
        self.add("dbname", decoded(path)?);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return Err("has a parameter without `=`: write name=value".to_owned());
            };
            self.set(&decoded(name)?, decoded(value)?)?;
        }
        Ok(())
    }

    /// Parses `host=db dbname='my base'`: quoted values, or values up to a space.
    fn read_pairs(&mut self, text: &str) -> Result<()> {
        let mut left = text.trim_start();
        while !left.is_empty() {
            let Some((name, value)) = left.split_once('=') else {
                return Err(
                    "cannot be read: use postgres://user:password@host:5432/database, or host=... dbname=..."
                        .to_owned(),
                );
            };
            let (value, rest) = pair_value(value.trim_start())?;
            self.set(name.trim(), value)?;
            left = rest.trim_start();
        }
        Ok(())
    }

    fn add(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }

    fn set(&mut self, name: &str, value: String) -> Result<()> {
        let name = match name {
            "ssl-mode" => "sslmode",
            "ssl-root-cert" | "ssl-ca" => "sslrootcert",
            "ssl-cert" => "sslcert",
            "ssl-key" => "sslkey",
            name => name,
        };
        if let Some(problem) = unsupported(name, &value) {
            return Err(problem);
        }
        // Settings that are implied need no action.
        if !IMPLIED.iter().any(|(implied, values)| *implied == name && values.contains(&value.as_str())) {
            self.add(name, value);
        }
        Ok(())
    }
}

/// Settings that are accepted because they describe the actual behaviour.
const IMPLIED: [(&str, &[&str]); 9] = [
    ("client_encoding", &["", "auto", "UTF8", "utf8", "UTF-8", "utf-8"]),
    ("channel_binding", &["", "disable", "prefer"]),
    ("gssencmode", &["", "disable", "prefer"]),
    ("load_balance_hosts", &["", "disable"]),
    ("sslnegotiation", &["", "postgres"]),
    ("sslcompression", &["", "0"]),
    ("requiressl", &["", "0"]),
    ("keepalives", &["", "1"]),
    ("replication", &["", "false", "off", "no", "0"]),
];

/// Why a parameter is unsupported, and what to do.
fn unsupported(name: &str, value: &str) -> Option<String> {
    if IMPLIED.iter().any(|(implied, values)| *implied == name && values.contains(&value)) {
        return None;
    }
    let way = match name {
        "passfile" => "set PGPASSFILE in the environment",
        "service" | "servicefile" => "write out what the service file says",
        "channel_binding" => "leave it out, and use sslmode=verify-full against a stranger in between",
        "load_balance_hosts" => "leave it out: hosts are tried in their order",
        "sslnegotiation" => "leave it out: TLS is negotiated as by servers before version 17",
        "sslcrl" | "sslcrldir" => "leave it out: revocation lists are not looked at",
        "sslpassword" => "leave it out, and name a key without a password",
        "schema" | "currentSchema" | "search_path" => "use options=-c%20search_path=NAME",
        "client_encoding" => "leave it out: it is always UTF8",
        _ if name.starts_with("keepalives") || name == "tcp_user_timeout" => "leave it out",
        _ if name.starts_with("gss") || name.starts_with("krb") => {
            "leave it out, and use a password or a certificate"
        }
        _ if KNOWN.contains(&name) => return None,
        _ => {
            return Some(format!(
                "has a parameter that is not known: {}; known are {}",
                named(name),
                KNOWN.join(", ")
            ));
        }
    };
    Some(format!("has a parameter that is not supported: {name}; {way}"))
}

/// A parameter's name, unless it looks like a part of a password.
fn named(name: &str) -> &str {
    let is_name = !name.is_empty()
        && name.len() <= 40
        && name.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.'));
    if is_name { name } else { "one that is no name (write & and = of a password as %26 and %3D)" }
}

fn host_and_port(text: &str) -> Result<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("has an IPv6 address without its closing bracket")?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, port)),
            None if rest.is_empty() => Ok((host, "")),
            None => Err("has something behind an IPv6 address that is no port".to_owned()),
        };
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            Err("has an IPv6 address without brackets, or a `:` too many: write [::1]:5432".to_owned())
        }
        found => Ok(found.unwrap_or((text, ""))),
    }
}

fn decoded(text: &str) -> Result<String> {
    let broken = || "has a `%` that is not followed by two hexadecimal digits: write it as %25".to_owned();
    for (at, _) in text.match_indices('%') {
        let digits = text.get(at + 1..at + 3).ok_or_else(broken)?;
        if !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(broken());
        }
    }
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| "is not UTF-8 once its `%` are resolved".to_owned())?.into_owned())
}

/// The value at the start of a text, and the rest.
fn pair_value(text: &str) -> Result<(String, &str)> {
    let quoted = text.strip_prefix('\'');
    let mut value = String::new();
    let mut characters = quoted.unwrap_or(text).char_indices();
    while let Some((at, character)) = characters.next() {
        let rest = || quoted.unwrap_or(text).get(at + character.len_utf8()..).unwrap_or_default();
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted.is_some() => return Ok((value, rest())),
            character if character.is_whitespace() && quoted.is_none() => return Ok((value, rest())),
            character => value.push(character),
        }
    }
    match quoted {
        Some(_) => Err("has a quote that is not closed".to_owned()),
        None => Ok((value, "")),
    }
}

/// The settings in `options`: `-c name=value -cname=value --name=value`.
pub(crate) fn settings(options: &str) -> Result<Vec<(String, String)>> {
    let wrong = || "has options that are not understood: write options=-c%20name=value".to_owned();
    let mut settings = Vec::new();
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let setting = if word == "-c" {
            words.next().ok_or_else(wrong)?
        } else {
            word.strip_prefix("-c").or_else(|| word.strip_prefix("--")).ok_or_else(wrong)?.to_owned()
        };
        let (name, value) = setting.split_once('=').ok_or_else(wrong)?;
        let name = name.replace('-', "_");
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')) {
            return Err(wrong());
        }
        settings.push((name, value.to_owned()));
    }
    Ok(settings)
}

/// The words of `options`, in which a backslash escapes the next character.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => words.last_mut().into_iter().for_each(|word| word.extend(characters.next())),
            // Web libraries encode a space as a plus.
            ' ' | '\t' | '+' => words.push(String::new()),
            character => words.last_mut().into_iter().for_each(|word| word.push(character)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
