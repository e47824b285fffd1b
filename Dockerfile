# Two images of one checkout: `api` without torch, and `worker`.
#   docker build --target api -t trainshed-api .
#   docker build --target worker -t trainshed-worker .
FROM python:3.11-slim AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    TRAINSHED_HOME=/var/lib/trainshed
RUN useradd --system --uid 10001 --home-dir /var/lib/trainshed --create-home trainshed
WORKDIR /app

FROM base AS api
COPY requirements-api.lock .
RUN pip install --require-hashes -r requirements-api.lock
COPY shared shared
COPY api api
USER trainshed
EXPOSE 8000
CMD ["python", "-m", "api"]

FROM base AS worker
# TORCH_INDEX: empty takes the build with CUDA; PyTorch's CPU index makes an image for a box without GPUs.
ARG TORCH_INDEX=""
COPY requirements-worker.lock .
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0 \
    && pip install --no-deps --require-hashes -r requirements-worker.lock
COPY shared shared
COPY worker worker
USER trainshed
CMD ["python", "-m", "worker"]
