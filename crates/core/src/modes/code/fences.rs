//! The code in what a model wrote: fenced blocks of Markdown (CommonMark 0.31, section 4.5).

use crate::sandbox::Language;

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    /// The first word after its fence.
    tag: &'a str,
    code: String,
}

/// The program in a text, and its language's name.
///
/// Of several blocks those count whose tag is a language that can be run, else those without a tag; blocks of one
/// language belong together, and the language with the most code wins. A text without any fence is all code. `None`
/// where there is none.
pub fn extract(text: &str) -> Option<(&'static str, String)> {
    let blocks = blocks(text);
    if blocks.is_empty() {
        return program("python", text);
    }
    let of = |wanted: Option<&str>| {
        let belongs = |block: &&Block<'_>| match wanted {
            Some(name) => language(block.tag) == Some(name),
            None => block.tag.is_empty(),
        };
        blocks.iter().filter(belongs).map(|block| block.code.as_str()).collect::<Vec<_>>().join("\n")
    };
    let names = crate::sandbox::LANGUAGES.map(|row| row.name);
    // Of two that are as long, the first row: shells set up what the other language needs.
    let longest =
        names.into_iter().rev().map(|name| (name, of(Some(name)))).max_by_key(|(_, code)| code.len());
    let tagged = longest.and_then(|(name, code)| program(name, &code));
    tagged.or_else(|| program("python", &of(None)))
}

fn program(language: &'static str, code: &str) -> Option<(&'static str, String)> {
    (!code.trim().is_empty()).then(|| (language, code.to_owned()))
}

/// `python`, `py`, `{.python .numberLines}`, `python title="x"`: the language's name.
fn language(tag: &str) -> Option<&'static str> {
    let word = tag.trim_start_matches(['{', '.']);
    let end = word.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(word.len());
    Language::find(&word.get(..end)?.to_ascii_lowercase()).map(|row| row.name)
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<(Fence<'_>, Block<'_>)> = None;
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        open = match (open, Fence::read(line)) {
            (Some((fence, block)), Some(closing)) if closing.closes(&fence) => {
                blocks.push(block);
                None
            }
            (Some((fence, mut block)), _) => {
                block.code.push_str(unindented(line, fence.indent));
                block.code.push('\n');
                Some((fence, block))
            }
            (None, Some(fence)) if fence.opens() => {
                let tag = fence.info.split_whitespace().next().unwrap_or_default();
                Some((fence, Block { tag, code: String::new() }))
            }
            (None, _) => None,
        };
    }
    // One that was never closed ends with the text.
    blocks.extend(open.map(|(_, block)| block));
    blocks
}

/// A line that may open or close a block.
struct Fence<'a> {
    indent: usize,
    letter: char,
    length: usize,
    info: &'a str,
}

impl<'a> Fence<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let rest = line.trim_start_matches(' ');
        let letter = rest.chars().next().filter(|letter| matches!(letter, '`' | '~'))?;
        let info = rest.trim_start_matches(letter);
        let length = rest.len().saturating_sub(info.len());
        let indent = line.len().saturating_sub(rest.len());
        (length >= 3).then_some(Self { indent, letter, length, info: info.trim() })
    }

    /// A backtick after the fence makes it a span of code inside a line.
    fn opens(&self) -> bool {
        self.letter == '~' || !self.info.contains('`')
    }

    fn closes(&self, open: &Self) -> bool {
        self.letter == open.letter && self.length >= open.length && self.info.is_empty()
    }
}

/// A block inside a list is indented as a whole.
fn unindented(line: &str, indent: usize) -> &str {
    let spaces = line.len().saturating_sub(line.trim_start_matches(' ').len());
    line.get(spaces.min(indent)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str, language: &str, code: &str) {
        assert_eq!(extract(text), Some((language, code.to_owned())), "{text:?}");
    }

    #[test]
    fn code_is_found_in_what_models_write() {
        is("```python\nprint(1)\n```", "python", "print(1)\n");
        is("Here:\r\n```py\r\nx = 1\r\n```\r\nDone.", "python", "x = 1\n");
        is("~~~js\nf()\n~~~", "javascript", "f()\n");
        is("```{.python .numberLines}\na\n```", "python", "a\n");
        is("```python title=\"a.py\"\na\n```", "python", "a\n");
        is("```Python3\na\n```", "python", "a\n");
        // Fences inside longer fences, and of the other kind, are code.
        is("````python\ns = '''\n```\n'''\n````", "python", "s = '''\n```\n'''\n");
        is("~~~python\n```\n~~~", "python", "```\n");
        is("```python\nprint('```')\n```", "python", "print('```')\n");
        // Never closed: cut off, or forgotten.
        is("```python\nprint(1)", "python", "print(1)\n");
        // In a list.
        is("1. So:\n   ```python\n   if x:\n       y\n   ```", "python", "if x:\n    y\n");
        // Several: of one language they belong together, what was printed is none.
        is(
            "```python\ndef f(): pass\n```\nthen\n```python\nf()\n```\nprints\n```\n1\n```",
            "python",
            "def f(): pass\n\nf()\n",
        );
        is(
            "```bash\npip install x\n```\n```python\nimport x; x.main()\n```",
            "python",
            "import x; x.main()\n",
        );
        is("```json\n{\"a\": 1, \"b\": 2}\n```\n```ts\nf()\n```", "typescript", "f()\n");
        is("```\nprint(1)\n```", "python", "print(1)\n");
        // No fence at all.
        is("print(1)", "python", "print(1)");
        is("use `print` as ```x``` here", "python", "use `print` as ```x``` here");
        for none in ["", " \n", "```\n```", "```json\n{}\n```", "```python\n\n```"] {
            assert_eq!(extract(none), None, "{none:?}");
        }
    }
}
