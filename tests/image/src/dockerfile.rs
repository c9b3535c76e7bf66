//! Parses the Dockerfile as far as the tests need.

use anyhow::{Context as _, Result};

/// The instructions of a Dockerfile.
#[derive(Debug)]
pub struct Dockerfile {
    instructions: Vec<(String, String)>,
}

impl Dockerfile {
    /// Parses a Dockerfile: drops comments and joins continued lines.
    ///
    /// # Errors
    /// If a line is not an instruction.
    pub fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
        let instructions = joined.lines().filter(|line| !line.trim().is_empty()).map(|line| {
            let (name, arguments) = line.split_once(' ').with_context(|| format!("{line:?}"))?;
            Ok((name.to_owned(), arguments.split_whitespace().collect::<Vec<_>>().join(" ")))
        });
        Ok(Self { instructions: instructions.collect::<Result<_>>()? })
    }

    /// The arguments of all instructions with this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        named(&self.instructions, name)
    }

    /// The same for the last stage, which becomes the image.
    pub fn in_image(&self, name: &str) -> impl Iterator<Item = &str> {
        let begin = self.instructions.iter().rposition(|(name, _)| name == "FROM").unwrap_or_default();
        named(&self.instructions[begin..], name)
    }

    /// The default of an `ARG`.
    ///
    /// # Errors
    /// If there is no such argument, or it has no default.
    pub fn default_of(&self, argument: &str) -> Result<&str> {
        let mut given = self.all("ARG").filter_map(|arg| arg.split_once('='));
        let found = given.find(|(name, _)| *name == argument);
        Ok(found.with_context(|| format!("there is no ARG {argument}=..."))?.1)
    }

    /// The image's environment.
    #[must_use]
    pub fn environment(&self) -> Vec<(&str, &str)> {
        self.in_image("ENV").flat_map(str::split_whitespace).filter_map(|pair| pair.split_once('=')).collect()
    }
}

fn named<'a>(instructions: &'a [(String, String)], wanted: &str) -> impl Iterator<Item = &'a str> {
    instructions.iter().filter(move |(name, _)| name == wanted).map(|(_, arguments)| arguments.as_str())
}
