# lfb-lightning in a container: docker build -t lfb . && docker run --rm --shm-size=8g -v "$PWD:/work" lfb doctor
# On a CUDA image, Debian's or Ubuntu's kind: --build-arg BASE=nvidia/cuda:12.8.1-runtime-ubuntu24.04. torch's default wheels
# bring CUDA's libraries too, so that the slim image does for a GPU as well (docker run --gpus all).
ARG BASE=python:3.11-slim
FROM ${BASE}

# Without a GPU: --build-arg TORCH_INDEX=URL, PyTorch's own index of CPU builds (its installation page names it), saves 5 GB.
ARG TORCH_INDEX=""
# Parts of the package that are installed too, such as [export,wandb].
ARG EXTRAS=""

# hadolint ignore=DL3008
RUN if ! command -v python3 >/dev/null; then \
      apt-get update \
      && apt-get install --yes --no-install-recommends python3 python3-venv \
      && rm -rf /var/lib/apt/lists/*; \
    fi \
    && python3 -m venv /opt/venv \
    && useradd --create-home --non-unique --uid 1000 lfb \
    && mkdir /work \
    && chown lfb /work
ENV PATH=/opt/venv/bin:$PATH

WORKDIR /opt/source
COPY pyproject.toml README.md LICENSE ./
COPY conf conf
COPY src src
# The bounds of the versions are in pyproject.toml.
# hadolint ignore=DL3013
RUN if [ -n "$TORCH_INDEX" ]; then pip install --no-cache-dir --index-url "$TORCH_INDEX" torch torchvision; fi \
    && pip install --no-cache-dir ".${EXTRAS}"

# Data, banks and runs lie below this folder. A user without a name, so that a cluster may replace it: docker run --user
USER 1000
WORKDIR /work
ENTRYPOINT ["lfb"]
CMD ["--help"]
