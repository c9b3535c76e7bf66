//! Tokens for people and programs without an issuer, kept as hashes in a file.

use std::{collections::HashSet, path::Path};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{credential_error::CredentialError, policy::PolicyError};

/// What every static token begins with. It distinguishes a static token from one of an issuer,
/// and lets scanners for leaked secrets recognise it.
const PREFIX: &str = "activity_";

/// The length of what follows, in hexadecimal digits: 32 random bytes. A token that is
/// random and this long needs no slow hash.
const DIGITS: usize = 64;

/// The static tokens of a policy.
#[derive(Debug, Default)]
pub(crate) struct StaticTokens(Vec<StaticToken>);

#[derive(Debug)]
struct StaticToken {
    name: String,
    digest: [u8; 32],
}

/// Whether a token claims to be a static one.
pub(crate) fn is_static(token: &str) -> bool {
    token.starts_with(PREFIX)
}

impl StaticTokens {
    /// Parses a file as `sha256sum` writes it: a hash and a name on each line. A name may
    /// have several tokens, so that one can be replaced by the next.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, PolicyError> {
        let mut tokens = Vec::new();
        let mut digests = HashSet::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let failed = |message: &str| PolicyError::at(file, index as u64 + 1, 1, message.to_owned());
            let token = StaticToken::parse(line).map_err(failed)?;
            if !digests.insert(token.digest) {
                return Err(failed("this token is in the file already; every name needs one of its own"));
            }
            tokens.push(token);
        }
        Ok(Self(tokens))
    }

    /// The name of a token's owner.
    pub(crate) fn owner(&self, token: &str) -> Result<&str, CredentialError> {
        let digits = token.strip_prefix(PREFIX).unwrap_or_default().as_bytes();
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        // Whoever wrote a weak token into the file does not get in with it.
        if digits.len() != DIGITS || !digits.iter().all(is_digit) {
            return Err(CredentialError::StaticTokenForm);
        }
        let digest = Sha256::digest(token);
        let mut owner = Err(CredentialError::UnknownStaticToken);
        // To the end in any case: the time gives nothing away.
        for known in &self.0 {
            if bool::from(known.digest.as_slice().ct_eq(digest.as_slice())) {
                owner = Ok(known.name.as_str());
            }
        }
        owner
    }
}

impl StaticToken {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let mut words = line.split_whitespace();
        let (Some(hash), Some(name), None) = (words.next(), words.next(), words.next()) else {
            return Err("this line is not a SHA-256 hash and a name");
        };
        let mut digest = [0; 32];
        hex::decode_to_slice(hash, &mut digest)
            .map_err(|_| "the first word is no SHA-256 hash in 64 hexadecimal digits; put no token here")?;
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
        if !name.chars().all(is_allowed) {
            return Err("the name has other characters than letters, digits, '.', '-', '_' and '@'");
        }
        Ok(Self { name: name.to_owned(), digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(digit: char) -> String {
        format!("{PREFIX}{}", digit.to_string().repeat(DIGITS))
    }

    fn line(token: &str, name: &str) -> String {
        format!("{}  {name}\n", hex::encode(Sha256::digest(token)))
    }

    fn parse(text: &str) -> Result<StaticTokens, String> {
        StaticTokens::parse(Path::new("tokens"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_belongs_to_the_name_beside_its_hash() {
        let text = format!(
            "# people\n\n{}{}{}",
            line(&token('a'), "alice"),
            line(&token('b'), "bob@example.org"),
            line(&token('c'), "alice"),
        );
        let tokens = parse(&text).unwrap();
        assert_eq!(tokens.owner(&token('a')), Ok("alice"));
        assert_eq!(tokens.owner(&token('b')), Ok("bob@example.org"));
        assert_eq!(tokens.owner(&token('c')), Ok("alice"));
        assert_eq!(tokens.owner(&token('d')), Err(CredentialError::UnknownStaticToken));
    }

    #[test]
    fn a_token_without_enough_entropy_never_gets_in() {
        let weak = "activity_hunter2";
        let tokens = parse(&line(weak, "alice")).unwrap();
        assert_eq!(tokens.owner(weak), Err(CredentialError::StaticTokenForm));
    }

    #[test]
    fn a_broken_line_is_named_and_not_repeated() {
        let twice = format!("{}{}", line(&token('a'), "alice"), line(&token('a'), "bob"));
        let in_clear = format!("{}  alice", token('a'));
        let cases = [
            ("\nalice\n", "tokens:2:1: this line is not"),
            ("abc alice", "tokens:1:1: the first word is no SHA-256 hash"),
            (in_clear.as_str(), "tokens:1:1: the first word is no SHA-256 hash"),
            (twice.as_str(), "tokens:2:1: this token is in the file already"),
        ];
        for (text, expected) in cases {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(expected), "{message}");
            assert!(!message.contains("aaaa"), "{message}");
        }
        let odd_name = line(&token('a'), "alice:bob");
        assert!(parse(&odd_name).unwrap_err().contains("other characters"));
    }
}
