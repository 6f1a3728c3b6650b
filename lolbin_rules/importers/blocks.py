"""The bytes of a file, decompressed, piece by piece: gzip and zstd are recognised by their first bytes."""

from __future__ import annotations

import codecs
import io
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import zstandard

from lolbin_rules.importers.event import Read, one_line

__all__ = ["Damaged", "as_utf8", "blocks", "first_bytes"]

PLAIN_PIECE: Final = 1 << 18
GZIP_PIECE: Final = 1 << 14
"""Bytes that are decompressed at once: even at gzip's highest ratio (1 to 1,032) they become 17 MB at most."""
ZSTD_PIECE: Final = 1 << 11
"""The same for zstd, which packs up to 32,000 times."""
WIDEST_WINDOW: Final = 1 << 31
"""What `zstd --long=31` asks of a reader."""
GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
ZSTD_SKIPPED: Final = tuple(bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))
"""What a zstd file may begin with as well: frames that hold no data."""
MARKS: Final = ((codecs.BOM_UTF8, ""), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
"""Marks of the encoding, and what has to be decoded then."""
LONGEST_MAGIC: Final = 8


class Damaged(Exception):  # noqa: N818 - says what the file is, not what went wrong in here
    """The rest of the file cannot be read; everything before it was."""


class Unpacker(Protocol):
    """What zlib's and zstandard's decompressors have in common."""

    @property
    def eof(self) -> bool:
        """Whether the part is complete."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows the part."""
        ...

    def decompress(self, data: bytes, /) -> bytes:
        """What can be had of the part so far."""
        ...


def first_bytes(stream: io.BufferedIOBase) -> bytes:
    """As many bytes as tell what kind of file it is."""
    head = b""
    while len(head) < LONGEST_MAGIC and (more := stream.read1(LONGEST_MAGIC - len(head))):
        head += more
    return head


def blocks(head: bytes, stream: io.BufferedIOBase, read: Read) -> Iterator[bytes]:
    """All bytes of a file, decompressed, `head` being what was read of it already.

    Raises:
        Damaged: what is compressed ends early or is damaged; raised after everything that could be had.
    """
    if head.startswith(GZIP):
        pieces = _pieces(head, stream, read, GZIP_PIECE)
        return _unpacked(pieces, lambda: zlib.decompressobj(wbits=31), "gzip")
    if head.startswith((ZSTD, *ZSTD_SKIPPED)):
        pieces = _pieces(head, stream, read, ZSTD_PIECE)
        return _unpacked(pieces, zstandard.ZstdDecompressor(max_window_size=WIDEST_WINDOW).decompressobj, "zstd")
    return _pieces(head, stream, read, PLAIN_PIECE)


def _pieces(head: bytes, stream: io.BufferedIOBase, read: Read, size: int) -> Iterator[bytes]:
    piece = head
    while piece:
        read(len(piece))
        yield piece
        piece = stream.read1(size)


def _unpacked(pieces: Iterator[bytes], new: Callable[[], Unpacker], kind: str) -> Iterator[bytes]:
    unpacker = new()
    for piece in pieces:
        rest = piece
        while rest:
            if unpacker.eof:
                rest = rest.lstrip(b"\0")  # padding, as tapes and block devices leave it
                if not rest:
                    break
                unpacker = new()  # several compressed parts may follow each other
            try:
                out = unpacker.decompress(rest)
            except (zlib.error, zstandard.ZstdError) as error:
                raise Damaged(f"its {kind} data are damaged ({one_line(error)}), so the rest of it is lost") from None
            if out:
                yield out
            rest = unpacker.unused_data
    if not unpacker.eof:
        raise Damaged(f"its {kind} data end too early, so the file was cut short and what came after is lost")


def as_utf8(decompressed: Iterator[bytes]) -> Iterator[bytes]:
    """The same text in UTF-8, without a byte order mark: PowerShell writes UTF-16, others put a mark before UTF-8."""
    head = b""
    for block in decompressed:
        head += block
        if len(head) >= max(len(mark) for mark, _ in MARKS):
            break
    for mark, encoding in MARKS:
        if head.startswith(mark):
            head = head.removeprefix(mark)
            if encoding:
                yield from _recoded(head, decompressed, encoding)
                return
            break
    if head:
        yield head
    yield from decompressed


def _recoded(head: bytes, decompressed: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Half a character is passed on as it is: it breaks the line that it stands in, not the file."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="surrogatepass")
    yield decoder.decode(head).encode(errors="surrogatepass")
    for block in decompressed:
        yield decoder.decode(block).encode(errors="surrogatepass")
    if decoder.getstate()[0]:
        raise Damaged("its UTF-16 text ends within a character, so the file was cut short")
