"""What the drivers in Python share: one job, a JSON object, a line on standard input; one answer a line back.

A job names an operation (`op`), a client (`sdk`), where and with which key it asks, and the SDK's own parameters. Its
answer says what the SDK returned or raised, in the few members that the suite compares; jobs run at once.
"""

import asyncio
import inspect
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pydantic

SECONDS = 25
write_lock = threading.Lock()


class Weather(pydantic.BaseModel):
    """The object that structured output is asked for."""

    city: str
    degrees: int


def forecast(arguments):
    """What the caller's own tool says."""
    return f"sun for {arguments['city']}"


def error_of(error, base):
    return {
        "class": type(error).__name__,
        "is_api_error": isinstance(error, base),
        "status": getattr(error, "status_code", getattr(error, "code", None)),
        "message": str(error),
    }


async def got(value):
    """The same code runs a client with threads and one with asyncio: the latter's answers are awaited."""
    return await value if inspect.isawaitable(value) else value


async def each(stream):
    if hasattr(stream, "__aiter__"):
        async for item in stream:
            yield item
    else:
        for item in stream:
            yield item


class Entered:
    """`with` for a client with threads, `async with` for one with asyncio."""

    def __init__(self, manager):
        self.manager = manager

    async def __aenter__(self):
        enter = getattr(self.manager, "__aenter__", None) or self.manager.__enter__
        return await got(enter())

    async def __aexit__(self, *error):
        leave = getattr(self.manager, "__aexit__", None) or self.manager.__exit__
        return await got(leave(*error))


def answer(job, run, error_of):
    try:
        outcome = asyncio.run(run(job))
    except Exception as error:  # Whatever the SDK raises is what the suite looks at.
        outcome = {"error": error_of(error)}
    with write_lock:
        print(json.dumps({"id": job["id"], "outcome": outcome}), flush=True)


def serve(run, error_of):
    """Runs jobs until there are no more."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        for line in sys.stdin:
            pool.submit(answer, json.loads(line), run, error_of)
