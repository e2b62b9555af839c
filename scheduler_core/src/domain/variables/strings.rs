//! The string values of JSON text, found without reading the text into values: numbers and texts that no program can hold
//! stay as they are.

/// The inside of one string that is no member's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct StringValue<'a> {
    /// Where it begins, in bytes; behind the quote.
    pub start: usize,
    /// Its text, escapes as they are written.
    pub text: &'a str,
    /// JSON pointer to it.
    pub pointer: String,
}

/// Where in the document we are.
enum Frame<'a> {
    Array(usize),
    /// The name of the member whose value comes; `None` where a name is to come.
    Object(Option<&'a str>),
}

/// The string values of `json`, in order; `json` is valid.
pub(super) fn string_values(json: &str) -> impl Iterator<Item = StringValue<'_>> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(byte) = json.as_bytes().get(at) {
            at += 1;
            match byte {
                b'{' => frames.push(Frame::Object(None)),
                b'[' => frames.push(Frame::Array(0)),
                b'}' | b']' => drop(frames.pop()),
                b',' => step(&mut frames),
                b'"' => {
                    let (start, text) = (at, inside(&json[at..]));
                    at += text.len() + 1;
                    match frames.last_mut() {
                        Some(Frame::Object(name @ None)) => *name = Some(text),
                        _ => return Some(StringValue { start, text, pointer: pointer(&frames) }),
                    }
                }
                _ => {}
            }
        }
        None
    })
}

/// From one element or member to the next.
fn step(frames: &mut [Frame<'_>]) {
    match frames.last_mut() {
        Some(Frame::Array(index)) => *index += 1,
        Some(Frame::Object(name)) => *name = None,
        None => {}
    }
}

/// Up to the quote that ends a string.
fn inside(text: &str) -> &str {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &text[..at],
            _ => {}
        }
    }
    text
}

fn pointer(frames: &[Frame<'_>]) -> String {
    frames.iter().map(segment).collect()
}

fn segment(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Array(index) => format!("/{index}"),
        Frame::Object(name) => {
            let written = name.unwrap_or_default();
            let read = serde_json::from_str::<String>(&format!("\"{written}\"")).unwrap_or_else(|_| written.to_owned());
            format!("/{}", read.replace('~', "~0").replace('/', "~1"))
        }
    }
}
