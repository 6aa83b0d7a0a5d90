# docker build -t ddbio .
# docker run --rm -v ~/.aws:/home/ddbio/.aws:ro -v ddbio-state:/home/ddbio/state -v "$PWD":/data ddbio export -r us-east-1 -t Orders -d exported/
FROM python:3.13-slim AS wheel
RUN apt-get update && apt-get install -y --no-install-recommends cargo gcc libc6-dev
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheel /source

FROM python:3.13-slim
COPY --from=wheel /wheel /wheel
RUN pip install --no-cache-dir /wheel/*.whl 'ddbio[zstd,parquet,avro,sql,metrics,report,completion,cluster,spark]' && rm -r /wheel \
    && useradd --create-home ddbio && install -d -o ddbio /home/ddbio/state
USER ddbio
ENV DDBIO_STATE_DIR=/home/ddbio/state
WORKDIR /data
ENTRYPOINT ["ddbio"]
