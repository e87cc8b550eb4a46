#!/usr/bin/env python3
"""Puts files into one archive for src/http/static_files.h: make_archive.py OUT name=file...

The archive is the length of its index (8 bytes, little-endian), the index (JSON), and the files' bytes, each as it is and, where that
saves a tenth, packed by gzip too. The same files give the same archive.
"""

import gzip
import hashlib
import json
import sys
from pathlib import Path


def main(out: str, *items: str) -> None:
    index, bytes_of_all = [], b""
    for item in items:
        name, file = item.split("=", 1)
        content = Path(file).read_bytes()
        packed = gzip.compress(content, 9, mtime=0)
        entry = {"name": name, "etag": hashlib.sha256(content).hexdigest()[:32], "at": len(bytes_of_all), "size": len(content)}
        bytes_of_all += content
        if len(packed) < 0.9 * len(content):
            entry |= {"gzip_at": len(bytes_of_all), "gzip_size": len(packed)}
            bytes_of_all += packed
        index.append(entry)
    text = json.dumps(index, separators=(",", ":")).encode()
    Path(out).write_bytes(len(text).to_bytes(8, "little") + text + bytes_of_all)


if __name__ == "__main__":
    main(*sys.argv[1:])
