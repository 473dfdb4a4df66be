# The demo as a container: docs/deployment.md says how to build it and to run it read-only.
FROM python:3.12-slim AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir "$(echo /wheels/*.whl)[demo,runtime]"
# Nobody who may write anything but /tmp, and nothing is fetched or reported.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin demo
USER 10001
ENV HOME=/tmp GRADIO_TEMP_DIR=/tmp/gradio GRADIO_ANALYTICS_ENABLED=False \
    ORT_DISABLE_TELEMETRY=1 HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/config', timeout=8)"]
# As Ctrl+C: the first process of a container does not heed the usual SIGTERM.
STOPSIGNAL SIGINT
CMD ["keras-lotr", "demo", "--engine", "onnxruntime", "--host", "0.0.0.0", "--port", "7860"]
