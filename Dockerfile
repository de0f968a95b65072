# The suite with its extras. CPU by default:
#   docker build -t vit-svm-bench .
# With CUDA (the wheels of torch bring it; the host needs a driver and the NVIDIA container toolkit):
#   docker build --build-arg TORCH=cu126 -t vit-svm-bench:cuda .
# docs/containers.md has the commands for a laptop and a cluster.
FROM python:3.11-slim-bookworm

# cpu, or a version of CUDA as https://download.pytorch.org/whl names it: cu124, cu126, cu128.
ARG TORCH=cpu
ARG EXTRAS=dicom,distributed,download,excel,hdf5,hub

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONUTF8=1

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY bench ./bench
COPY classifiers ./classifiers
COPY extractors ./extractors
COPY reports ./reports
# Lower bounds stand in pyproject.toml; what ran is in each manifest.
# torch first, and from its own index: what comes after takes it as it is.
# hadolint ignore=DL3013
RUN pip install "torch>=2.6" "torchvision>=0.21" --index-url "https://download.pytorch.org/whl/${TORCH}" \
    && pip install ".[${EXTRAS}]" \
    && rm -rf build ./*.egg-info

# Not root: what a run writes belongs to the user that `--user` names, else to this one.
RUN useradd --create-home --uid 1000 bench \
    && mkdir -p /store /runs /weights \
    && chown bench:bench /store /runs /weights \
    && chmod 1777 /store /runs /weights
ENV BENCH_CACHE=/store \
    HF_HOME=/weights/huggingface \
    TORCH_HOME=/weights/torch \
    MPLCONFIGDIR=/tmp/matplotlib
# The store, the run folders, and what is downloaded of weights, outlive a container.
VOLUME ["/store", "/runs", "/weights"]
USER 1000
# `bench all` without --out writes to ./runs.
WORKDIR /
ENTRYPOINT ["bench"]
CMD ["--help"]
