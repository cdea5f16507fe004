"""Starts TensorZero's HTTP gateway from its Python package and prints where it listens; runs until it is ended."""

import sys
import threading

import tensorzero

gateway = tensorzero._start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
print(gateway.base_url, flush=True)
threading.Event().wait()
