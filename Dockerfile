# Three images: `api` (without torch), `worker`, and `mlflow` (MLflow's own server and pages).
#   docker build --target api -t trainshed-api .
#   docker build --target worker -t trainshed-worker .
#   docker build --target mlflow -t trainshed-mlflow .
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
# Both empty: the build with CUDA. TORCH=cpu: the small build, for a box without GPUs (uv knows
# PyTorch's index for it). TORCH_INDEX: a package index to use instead; it takes precedence.
ARG TORCH=""
ARG TORCH_INDEX=""
COPY requirements-worker.lock .
RUN if [ -n "$TORCH" ] && [ -z "$TORCH_INDEX" ]; then \
      pip install uv && uv pip install --system --no-cache --torch-backend "$TORCH" torch==2.13.0; \
    else \
      pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0; \
    fi \
    && pip install --no-deps --require-hashes -r requirements-worker.lock
COPY shared shared
COPY worker worker
USER trainshed
CMD ["python", "-m", "worker"]

FROM base AS mlflow
COPY requirements-mlflow.lock .
# The store is a separate volume.
RUN pip install --no-deps --require-hashes -r requirements-mlflow.lock \
    && install --directory --owner trainshed /mlflow
USER trainshed
EXPOSE 5000
CMD ["mlflow", "server"]
