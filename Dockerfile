# docker build -t ddbio .
# docker run --rm -v ~/.aws:/home/ddbio/.aws:ro -v ddbio-state:/home/ddbio/state -v "$PWD":/data ddbio export -r us-east-1 -t Orders -d exported/
FROM python:3.13-slim
COPY . /source
RUN pip install --no-cache-dir '/source[zstd,parquet,avro,sql,metrics,report,completion,spark]' && rm -r /source \
    && useradd --create-home ddbio && install -d -o ddbio /home/ddbio/state
USER ddbio
ENV DDBIO_STATE_DIR=/home/ddbio/state
WORKDIR /data
ENTRYPOINT ["ddbio"]
