"""Thousands of damaged pictures and DICOM files: none takes much memory or time, or raises else.

They are decoded in a process of their own, whose peak memory the operating system counts.
"""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import io, random, resource, sys, time, warnings
from pathlib import Path
import numpy as np, pydicom
from PIL import Image
from bench.data.images.decoding import decode
from bench.data.images import isolated
from bench.data.images.bounds import MAX_MEMORY, MAX_SECONDS
from bench.data.images.pixels import UnreadableImage, to_eight_bit

warnings.simplefilter("ignore")
chance = random.Random(17)
grey = Image.fromarray(np.random.default_rng(3).integers(0, 255, (40, 30)).astype(np.uint8))

def picture(mode, kind, **options):
    stream = io.BytesIO()
    grey.convert(mode).save(stream, kind, **options)
    return stream.getvalue(), "x"

bases = [picture(mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
bases += [picture(mode, "JPEG") for mode in ("L", "RGB", "CMYK")]
bases += [picture("L", "JPEG", progressive=True), picture("L", "BMP"), picture("L", "PPM")]
for packed in (None, "tiff_lzw", "tiff_deflate", "jpeg"):
    bases.append(picture("RGB", "TIFF", compression=packed))
bases += [picture("F", "TIFF"), picture("L", "GIF")]
bases += [picture("RGB", "WEBP"), picture("L", "JPEG2000")]
folder = Path(pydicom.__file__).parent / "data" / "test_files"
files = [file for file in sorted(folder.glob("*.dcm")) if file.stat().st_size < 200_000]
bases += [(file.read_bytes(), "x.dcm") for file in files]

def mutant(data):
    data = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        place = int(chance.random() ** 3 * len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[place] = chance.randrange(256)
        elif kind == 1:
            large = b"\\x7f\\xff\\xff\\xff"
            data[place : place + 4] = chance.choice([b"\\xff" * 4, bytes(4), large])
        elif kind == 2:
            del data[place : place + chance.randint(1, 40)]
        else:
            data[place:place] = data[place : place + chance.randint(1, 40)]
        if not data:
            return b"x"
    return bytes(data)

outcomes = {"read": 0, "refused": 0}
for number in range(int(sys.argv[1])):
    base, name = chance.choice(bases)
    data = mutant(base)
    start = time.process_time()
    try:
        decoded = decode(data, name, chance.choice(["own", "voi"]))
        assert decoded.pixels.ndim == 2
        to_eight_bit(decoded.pixels)
        outcomes["read"] += 1
    except UnreadableImage as error:
        outcomes["refused"] += 1
        assert str(error).isprintable() and 0 < len(str(error)) < 300, (number, str(error))
        for word in ("NoneType", "invalid literal", "not subscriptable", "BytesIO", " at 0x"):
            assert word not in str(error), (number, str(error))
    took = time.process_time() - start
    assert took < MAX_SECONDS, (number, name, took)
isolated._end_all()
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
assert max(int(peak), child) * 1024 < MAX_MEMORY + 2**28, (peak, child)
print(outcomes["read"], outcomes["refused"])
"""


def decode_mutants(count: int) -> None:
    command = [sys.executable, "-c", SCRIPT, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not done.stderr
    read, refused = map(int, done.stdout.split())
    assert read + refused == count
    assert min(read, refused) > count // 20


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read from /proc"
)


def test_mutants_stay_within_the_bounds() -> None:
    decode_mutants(700)


@pytest.mark.slow
def test_many_mutants_stay_within_the_bounds() -> None:
    decode_mutants(14_000)
