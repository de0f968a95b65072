"""What a run is to do: the validated configuration."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bench.errors import UnusableInput
from bench.planning.presets import EXTERNAL, PRESETS
from extractors import BackboneError, read_declaration
from extractors.names import FEATURES

if TYPE_CHECKING:
    from bench.data.crops.settings import CropSettings


@dataclass(frozen=True)
class Option:
    """How a field of the configuration is offered on the command line.

    Attributes
    ----------
    help : str
        What `--help` says of it.
    group : str
        The heading under which it stands there.
    shown : str | None
        What stands there for its value; by default its type says it.
    """

    help: str
    group: str
    shown: str | None = None


DATA, SYSTEMS, PROTOCOLS = "Data", "Systems", "Protocols"
RESOURCES, OUTPUT = "Resources", "Output"
COLUMNS_HELP = "Columns of a CSV manifest: patient_id=NAME,label=NAME,path=NAME,..."
# Options that take several names, separated by commas or given several times.
Names = tuple[str, ...]


class Configuration(BaseModel):
    """The options of `python -m bench all`, checked. Each is defined here and nowhere else.

    A field that is None takes the preset's or the data set's default; `data` None means the
    environment variable BENCH_DATA, and without that the built-in phantom.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Annotated[
        Path | None,
        Option("Folder, archive or CSV manifest; else $BENCH_DATA, else the phantom.", DATA),
    ] = None
    dataset: Annotated[
        str,
        Option(
            "How the data are read: auto looks at them, or cbis-ddsm, mias, folder, image-folder, "
            "busi, cmmd, inbreast, rsna, vindr, phantom or the name of a plugin's.",
            DATA,
        ),
    ] = "auto"
    tables: Annotated[
        Path | None, Option("Folder of the case tables, if not beside the images.", DATA)
    ] = None
    positive: Annotated[
        str | None,
        Option(
            "The positive class of a folder or CSV, all others are negative; by default their "
            "names say it (malignant, No_findings, ...; docs/data.md lists the words).",
            DATA,
        ),
    ] = None
    columns: Annotated[Names | None, Option(COLUMNS_HELP, DATA)] = None
    follow_links: Annotated[
        bool, Option("Follow symbolic links that lead out of the data root.", DATA)
    ] = False
    external: Annotated[
        tuple[str, ...],
        Option(
            "Another data set to test on; nothing is trained there. May be given several times.",
            DATA,
            "NAME=PATH",
        ),
    ] = ()
    subset: Annotated[
        Names | None, Option("Subsets, separated by commas; all by default.", DATA)
    ] = None
    region: Annotated[
        Literal["crop", "context", "full"],
        Option(
            "What is shown: the crop, its context in the mammogram, or the full mammogram.", DATA
        ),
    ] = "crop"
    margin: Annotated[
        float,
        Field(ge=1, le=20),
        Option("Side of the context, in sides of the lesion's mask.", DATA),
    ] = 1.5
    fit: Annotated[
        Literal["pad", "stretch"],
        Option("How a crop becomes square: padded with zeros or stretched.", DATA),
    ] = "pad"
    window: Annotated[
        Literal["own", "voi"],
        Option("Grey values of DICOM: its own minimum to maximum, or its VOI window.", DATA),
    ] = "own"
    size: Annotated[
        int, Field(ge=8, le=4096), Option("Side of the stored crops in pixels.", DATA)
    ] = 256
    preset: Annotated[
        Literal["quick", "thesis", "full"],
        Option("How much work a run does; see `list presets`.", SYSTEMS),
    ] = "quick"
    extractors: Annotated[
        Names | None, Option("Names, separated by commas; see `list extractors`.", SYSTEMS)
    ] = None
    classifiers: Annotated[
        Names | None, Option("Names, separated by commas; see `list classifiers`.", SYSTEMS)
    ] = None
    tune: Annotated[
        bool, Option("Beside each SVM, one with C and scale chosen in training.", SYSTEMS)
    ] = False
    epochs: Annotated[
        int | None,
        Field(ge=1, le=100_000),
        Option("Epochs of each network that is trained, instead of its recipe's.", SYSTEMS),
    ] = None
    plugin: Annotated[
        tuple[Path, ...],
        Option("Python file that registers backbones, classifiers, data sets.", SYSTEMS),
    ] = ()
    features: Annotated[
        tuple[str, ...],
        Option(
            "Features made elsewhere, as features:NAME: npz, npy, parquet, CSV or HDF5 with ids "
            "(docs/features.md).",
            SYSTEMS,
            "NAME=FILE",
        ),
    ] = ()
    checkpoint: Annotated[
        tuple[str, ...],
        Option(
            "A checkpoint of yours as extractor NAME, as mine=best.pth:timm:resnet50; may be given "
            "several times.",
            SYSTEMS,
            "NAME=PATH:ARCHITECTURE",
        ),
    ] = ()
    weights_dir: Annotated[
        Path | None, Option("Folder of checkpoint files, searched first.", SYSTEMS)
    ] = None
    offline: Annotated[
        bool, Option("Look for weights in folders and caches only; ask no network.", SYSTEMS)
    ] = False
    strict: Annotated[bool, Option("Stop before any work if weights are missing.", SYSTEMS)] = False
    protocols: Annotated[
        Names | None,
        Option(
            "Names, separated by commas; see `list protocols`; the preset's by default.", PROTOCOLS
        ),
    ] = None
    repeats: Annotated[
        int | None,
        Field(ge=1, le=1000),
        Option(
            "Repeats of protocols that are drawn anew, and seeds of networks; the preset's by "
            "default.",
            PROTOCOLS,
        ),
    ] = None
    train_fraction: Annotated[
        tuple[float, ...],
        Option("Shares of the training patients, separated by commas; 1 by default.", PROTOCOLS),
    ] = (1.0,)
    seed: Annotated[
        int, Field(ge=0, le=2**32 - 1), Option("Seed of the splits and of networks.", PROTOCOLS)
    ] = 0
    device: Annotated[str, Option("auto, cpu, cuda, cuda:N or mps.", RESOURCES)] = "auto"
    precision: Annotated[
        Literal["auto", "float32"],
        Option(
            "Of networks: bfloat16 where the device computes in it and features agree (auto), "
            "or float32.",
            RESOURCES,
        ),
    ] = "auto"
    threads: Annotated[
        int,
        Field(ge=0, le=1024),
        Option(
            "Threads of one operation on the CPU, part of the result; 0: cores, at most 4.",
            RESOURCES,
        ),
    ] = 0
    memory: Annotated[
        float | None,
        Field(gt=0, le=2**20),
        Option(
            "GiB that the SVMs of a fold may take before they are approximate; half of the "
            "machine's by default.",
            RESOURCES,
        ),
    ] = None
    scheduler: Annotated[
        str,
        Option(
            "What does the work: local, processes[:N], gpus, tcp://HOST:PORT or "
            "jobqueue:FILE.yaml (docs/cluster.md).",
            RESOURCES,
        ),
    ] = "local"
    jobs: Annotated[
        int, Field(ge=0, le=256), Option("Threads for the SVMs; 0 is one a core.", RESOURCES)
    ] = 0
    cache: Annotated[Path | None, Option("Folder of the store; else $BENCH_CACHE.", RESOURCES)] = (
        None
    )
    out: Annotated[
        Path | None, Option("Run folder; by default runs/<dataset>-<preset>.", OUTPUT)
    ] = None
    images: Annotated[
        bool,
        Option("Pictures of crops and saliency maps in the run folder and on its page.", OUTPUT),
    ] = True
    dry_run: Annotated[bool, Option("Print the plan and stop.", OUTPUT)] = False

    @field_validator(
        "columns",
        "subset",
        "extractors",
        "classifiers",
        "protocols",
        "train_fraction",
        mode="before",
    )
    @classmethod
    def _split(cls, values: Any) -> Any:
        """Names separated by commas become single ones."""
        if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
            return values
        names = tuple(name.strip() for text in values for name in text.split(",") if name.strip())
        if not names:
            raise ValueError("no name is given")
        return names

    @field_validator("columns")
    @classmethod
    def _columns(cls, columns: Names | None) -> Names | None:
        from bench.data.csv_manifest import KNOWN_COLUMNS

        pairs = [text.partition("=") for text in columns or ()]
        for name, _, wanted in pairs:
            if not wanted.strip():
                raise ValueError("give each column as patient_id=NAME")
            if name.strip() not in KNOWN_COLUMNS:
                raise ValueError(f"{name!r} is not one of {', '.join(KNOWN_COLUMNS)}")
        for part in (0, 2):
            if len({pair[part].strip() for pair in pairs}) < len(pairs):
                raise ValueError("a column is named more than once")
        return columns

    @field_validator("external", "features")
    @classmethod
    def _named(cls, given: Names) -> Names:
        _named_paths(given)
        return given

    @field_validator("checkpoint")
    @classmethod
    def _declared(cls, given: Names) -> Names:
        for text in given:
            try:
                read_declaration(text)
            except BackboneError as error:
                raise ValueError(str(error).removeprefix(f"{text}: ")) from error
        return given

    @field_validator("train_fraction")
    @classmethod
    def _shares(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < share <= 1 for share in shares):
            raise ValueError("shares of the training patients lie above 0 and up to 1")
        return tuple(sorted(set(shares)))

    @classmethod
    def checked(cls, options: Mapping[str, Any], where: str = "--") -> "Configuration":
        """Make a configuration of options; `where` stands before an option's name in messages.

        Raises
        ------
        UnusableInput
            With one line that names the option and says what is wrong with it.
        """
        try:
            return cls(**options)
        except ValidationError as error:
            first = error.errors()[0]
            option = str(first["loc"][0]).replace("_", "-")
            given = first["input"]
            several = isinstance(given, list | tuple)
            shown = ",".join(map(str, given)) if several else repr(given)
            reason = first["msg"].removeprefix("Value error, ")
            raise UnusableInput(f"{where}{option} {shown}: {reason}") from error

    def crop_settings(self) -> "CropSettings":
        """How crops are cut and made square."""
        from bench.data.crops.settings import CropSettings

        return CropSettings(self.size, self.fit, self.region, self.margin, self.window)

    def named_columns(self) -> dict[str, str]:
        """What columns of a manifest are called in the file, by their names here."""
        pairs = [text.partition("=") for text in self.columns or ()]
        return {name.strip(): wanted.strip() for name, _, wanted in pairs}

    def external_paths(self) -> dict[str, Path]:
        """Where the external sets lie, by name."""
        return _named_paths(self.external)

    def feature_files(self) -> dict[str, Path]:
        """The files of features, by the names of their extractors."""
        return {f"{FEATURES}{name}": file for name, file in _named_paths(self.features).items()}

    def from_any_folder(self) -> "Configuration":
        """The same for a process that may stand in another folder: with absolute paths of weights.

        Other files are opened where the command runs.
        """
        folder = None if self.weights_dir is None else self.weights_dir.expanduser().absolute()
        checkpoints = tuple(str(read_declaration(text)) for text in self.checkpoint)
        return self.model_copy(update={"weights_dir": folder, "checkpoint": checkpoints})

    def chosen_protocols(self) -> tuple[str, ...]:
        """The protocols requested, else the preset's; that of external sets goes with these."""
        chosen = self.protocols or PRESETS[self.preset].protocols
        return tuple(name for name in chosen if name != EXTERNAL)

    def chosen_repeats(self) -> int:
        """The number of repeats requested, else the preset's."""
        return self.repeats or PRESETS[self.preset].repeats

    def chosen_network_runs(self) -> tuple[int, int]:
        """Trainings of a network on a single split, and repeats of patient-cv for networks."""
        preset = PRESETS[self.preset]
        return self.repeats or preset.network_seeds, self.repeats or preset.network_repeats


def option_of(name: str) -> Option:
    """How a field of the configuration is offered on the command line."""
    return next(one for one in Configuration.model_fields[name].metadata if isinstance(one, Option))


def _named_paths(given: Names) -> dict[str, Path]:
    """The paths of `NAME=PATH`, by name; raises ValueError where it is nothing like that."""
    found: dict[str, Path] = {}
    for text in given:
        name, _, path = (part.strip() for part in text.partition("="))
        if not name or not path:
            raise ValueError("give it as NAME=PATH")
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name {name[:40]!r} may hold letters, digits, _, - and .")
        # Names become parts of file names, and some disks do not tell A from a.
        if name.casefold() in map(str.casefold, found):
            raise ValueError(f"the name {name} is given twice")
        found[name] = Path(path).expanduser()
    return found


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def check_names(option: str, requested: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Raise UnusableInput, with the nearest names, where a name is not among the known ones."""
    from difflib import get_close_matches

    for name in requested:
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.4)
            hint = f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(known)}"
            raise UnusableInput(f"--{option} {name!r} is unknown; {hint}")
        if requested.count(name) > 1:
            raise UnusableInput(f"--{option}: {name!r} is named more than once")
