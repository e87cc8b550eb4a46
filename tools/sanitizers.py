"""How the tests run on a build with a sanitizer: ./tools/test --asan, ./tools/test-long asan."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def environment(name: str) -> dict[str, str]:
    return {
        **os.environ,
        # Arrow and libFuzzer are not built with them: no leak check, and tests/tsan.supp.
        "ASAN_OPTIONS": "detect_leaks=0:alloc_dealloc_mismatch=0:detect_container_overflow=0",
        "TSAN_OPTIONS": f"exitcode=66 suppressions={ROOT}/tests/tsan.supp",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "SLIPWAY_BINARY": str(ROOT / f"build/{name}/bin/slipway"),
    }
