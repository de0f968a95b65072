"""The weights that a run fetches where there is a network, and their sizes."""

from collections.abc import Iterator

from bench.estimates.disk import FLOAT32
from bench.estimates.networks import parts_of, stored_size
from bench.planning.job import Job
from bench.store import Store


def download_lines(job: Job) -> Iterator[str]:
    """What is downloaded, for people.

    Parameters
    ----------
    job : Job
        From `prepare_job`.

    Yields
    ------
    str
        One line with all names and the sum; none where nothing is fetched.
    """
    from rich.filesize import decimal

    # Drawn weights stand in for what is missing, or no network is asked.
    if job.dataset.synthetic or job.configuration.offline:
        return
    store, sizes = Store(job.cache), dict[str, int | None]()
    for part in (part for extractor in job.extractors for part in parts_of(extractor)):
        info = part.info
        if info is None or info.cached or not info.downloadable or part.source == "random":
            continue
        # A checkpoint holds one number of four bytes for each parameter, and little besides.
        size = info.download_bytes
        if not size and (found := stored_size(store, part)) is not None:
            size = FLOAT32 * found.parameters
        sizes[part.name] = size
    if not sizes:
        return
    known = [size for size in sizes.values() if size]
    total = f"about {decimal(sum(known))}" if known else "of unknown size"
    if known and len(known) < len(sizes):
        total += " and more"
    told = ", ".join(f"{name} {decimal(size) if size else '?'}" for name, size in sizes.items())
    yield f"{len(sizes)} checkpoint{'s' * (len(sizes) > 1)}, {total}: {told}"
