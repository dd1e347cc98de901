//! Bytes → lines, within bounds.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// A chunk that is read at once, and what the buffer goes back to after a large line.
const CHUNK_BYTES: usize = 64 << 10;
/// A buffer above this is given back after the line that needed it.
const KEPT_BYTES_MAX: usize = 256 << 10;
/// What is kept of a line that is too long: enough to find its id.
const PREFIX_BYTES: usize = 64 << 10;

/// What is kept of its end: common clients write the id last.
const SUFFIX_BYTES: usize = 1 << 10;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, to be taken with [`LineReader::bytes`]: without and with its LF.
    Whole,
    /// A line over the limit, read to its end and thrown away.
    Oversize {
        /// Its first bytes.
        prefix: Vec<u8>,
        /// Its last bytes.
        suffix: Vec<u8>,
        /// Its length without LF.
        bytes: u64,
    },
    /// Bytes before the end of input that no LF follows.
    Unterminated(Vec<u8>),
    /// The end of input.
    End,
}

/// A line that is being thrown away.
struct Skipped {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    bytes: u64,
}

impl Skipped {
    /// Takes the next piece of the line.
    fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.suffix.extend_from_slice(&piece[piece.len().saturating_sub(SUFFIX_BYTES)..]);
        let over = self.suffix.len().saturating_sub(SUFFIX_BYTES);
        self.suffix.drain(..over);
    }

    fn line(self) -> Line {
        Line::Oversize { prefix: self.prefix, suffix: self.suffix, bytes: self.bytes }
    }
}

/// Reads lines from one side.
pub(super) struct LineReader<R> {
    source: R,
    buffer: Vec<u8>,
    /// Start of what has not been handed out.
    start: usize,
    /// End of what has been read.
    end: usize,
    /// Up to here there is no LF.
    scanned: usize,
    /// One past the LF of the line handed out last.
    line_end: usize,
    bytes_max: usize,
    skipping: Option<Skipped>,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(super) fn new(source: R, bytes_max: usize) -> Self {
        Self {
            source,
            buffer: vec![0; CHUNK_BYTES],
            start: 0,
            end: 0,
            scanned: 0,
            line_end: 0,
            bytes_max,
            skipping: None,
        }
    }

    /// From the next line on this is the limit.
    pub(super) fn set_limit(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// The line that [`Line::Whole`] announced, with its LF.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.line_end]
    }

    /// The next line. Not to be dropped half-way.
    pub(super) async fn next(&mut self) -> io::Result<Line> {
        self.take_line();
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[self.scanned..self.end]) {
                self.line_end = self.scanned + at + 1;
                let length = self.line_end - 1 - self.start;
                if self.skipping.is_none() && length <= self.bytes_max {
                    return Ok(Line::Whole);
                }
                return Ok(self.skip(self.line_end - 1).line());
            }
            self.scanned = self.end;
            self.skip_if_hopeless();
            if self.fill().await? == 0 {
                return Ok(self.at_end());
            }
        }
    }

    /// Hands the last line's bytes back to the buffer.
    fn take_line(&mut self) {
        if self.line_end > self.start {
            self.start = self.line_end;
        }
        self.scanned = self.scanned.max(self.start);
        if self.start == self.end {
            (self.start, self.end, self.scanned) = (0, 0, 0);
        }
        self.line_end = self.start;
        if self.buffer.len() > KEPT_BYTES_MAX && self.end - self.start <= CHUNK_BYTES {
            let mut small = vec![0; CHUNK_BYTES];
            let rest = self.end - self.start;
            small[..rest].copy_from_slice(&self.buffer[self.start..self.end]);
            self.buffer = small;
            self.scanned -= self.start;
            (self.start, self.end, self.line_end) = (0, rest, 0);
        }
    }

    /// A line that is too long already, or long and no message at all (a banner, a progress bar), is not collected.
    fn skip_if_hopeless(&mut self) {
        let length = self.end - self.start;
        if self.skipping.is_none() && length <= self.bytes_max && !(length > PREFIX_BYTES && self.is_noise())
        {
            return;
        }
        self.skipping = Some(self.skip(self.end));
        (self.start, self.end, self.scanned, self.line_end) = (0, 0, 0, 0);
        if self.buffer.len() > KEPT_BYTES_MAX {
            self.buffer = vec![0; CHUNK_BYTES];
        }
    }

    /// What has been skipped so far, with the bytes up to `end`.
    fn skip(&mut self, end: usize) -> Skipped {
        let piece = &self.buffer[self.start..end];
        let mut skipped = self.skipping.take().unwrap_or_else(|| Skipped {
            prefix: piece[..piece.len().min(PREFIX_BYTES)].to_vec(),
            suffix: Vec::new(),
            bytes: 0,
        });
        skipped.add(piece);
        skipped
    }

    /// Nothing that could become a message: no object, or none that begins with a key.
    fn is_noise(&self) -> bool {
        let mut bytes = self.buffer[self.start..self.end].iter().filter(|byte| !b" \t\r".contains(byte));
        bytes.next() != Some(&b'{') || !matches!(bytes.next(), Some(b'"' | b'}'))
    }

    async fn fill(&mut self) -> io::Result<usize> {
        if self.end == self.buffer.len() {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.scanned -= self.start;
                self.end -= self.start;
                (self.start, self.line_end) = (0, 0);
            } else {
                // One byte over the limit tells that it is over.
                let larger = (self.buffer.len() * 2).min(self.bytes_max + CHUNK_BYTES);
                self.buffer.resize(larger.max(self.buffer.len() + CHUNK_BYTES), 0);
            }
        }
        let read = self.source.read(&mut self.buffer[self.end..]).await?;
        self.end += read;
        Ok(read)
    }

    fn at_end(&mut self) -> Line {
        let line = if self.skipping.is_some() {
            self.skip(self.end).line()
        } else if self.start == self.end {
            Line::End
        } else {
            Line::Unterminated(self.buffer[self.start..self.end].to_vec())
        };
        (self.start, self.end, self.scanned, self.line_end) = (0, 0, 0, 0);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in pieces of the given size.
    struct Pieces<'a>(&'a [u8], usize);

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buf: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            let n = self.1.min(self.0.len()).min(buf.remaining());
            buf.put_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            std::task::Poll::Ready(Ok(()))
        }
    }

    fn read_all(bytes: &[u8], piece: usize, max: usize) -> Vec<(Line, Vec<u8>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut reader = LineReader::new(Pieces(bytes, piece), max);
            let mut lines = Vec::new();
            loop {
                match reader.next().await.unwrap() {
                    Line::End => return lines,
                    Line::Whole => lines.push((Line::Whole, reader.bytes().to_vec())),
                    other => lines.push((other, Vec::new())),
                }
            }
        })
    }

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let long = format!("{{\"{}\":1}}\n", "x".repeat(200_000));
        let text = format!("a\n\nbc\r\n{long}{long}d\n");
        for piece in [1, 7, 4096, 65_536, 1 << 20] {
            let lines = read_all(text.as_bytes(), piece, 1 << 20);
            let joined: Vec<u8> = lines.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            assert_eq!(lines.len(), 6, "pieces of {piece}");
            assert_eq!(joined, text.as_bytes(), "pieces of {piece}");
        }
    }

    #[test]
    fn a_line_over_the_limit_is_thrown_away_and_the_next_one_is_read() {
        for piece in [1000, 65_536, 1 << 20] {
            let text = format!("{{\"id\":1,{},\"z\":2}}\n{{}}\n", "y".repeat(300_000));
            let lines = read_all(text.as_bytes(), piece, 200_000);
            assert_eq!(lines.len(), 2, "pieces of {piece}");
            let Line::Oversize { prefix, suffix, bytes } = &lines[0].0 else { panic!("{:?}", lines[0].0) };
            assert_eq!(*bytes, 300_015);
            assert!(suffix.ends_with(b",\"z\":2}") && suffix.len() == SUFFIX_BYTES);
            assert!(prefix.starts_with(b"{\"id\":1,") && prefix.len() <= PREFIX_BYTES);
            assert_eq!(lines[1].1, b"{}\n");
        }
    }

    #[test]
    fn a_line_at_the_limit_passes() {
        let text = format!("{}\n", "z".repeat(PREFIX_BYTES));
        assert_eq!(read_all(text.as_bytes(), 999, PREFIX_BYTES)[0].1.len(), PREFIX_BYTES + 1);
    }

    #[test]
    fn long_noise_is_not_collected() {
        for first in ["n", "{", "["] {
            let text = first.repeat(5 << 20) + "\n{}\n";
            let lines = read_all(text.as_bytes(), 65_536, 32 << 20);
            let Line::Oversize { prefix, bytes, .. } = &lines[0].0 else { panic!("`{first}` was collected") };
            assert_eq!((prefix.len(), *bytes), (PREFIX_BYTES, 5 << 20));
            assert_eq!(lines[1].1, b"{}\n");
        }
    }

    #[test]
    fn what_no_newline_ends_is_told_apart() {
        assert_eq!(read_all(b"a\nb", 10, 100)[1].0, Line::Unterminated(b"b".to_vec()));
    }
}
